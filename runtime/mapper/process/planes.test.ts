import { type Connection, type DmiError, Unreachable } from '@limpet/dmi';
import { silentLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../../kernel/clock.ts';
import bench from './fixtures/bench.mapper.ts';
import { type Ends, type Plane, served } from './fixtures/in-memory.ts';

const visitor = { key: 'kept' };
const soon = (): AbortSignal => AbortSignal.timeout(5_000);

/** One call on this plane that moves `size` bytes there and back. */
const calls: Record<Plane, (c: Connection<unknown>, size: number) => Promise<unknown>> = {
  management: (connection, size) => connection.write(visitor, 'x'.repeat(size), soon()),
  data: (connection) =>
    connection.read(
      Array.from({ length: 20 }, () => visitor),
      soon(),
    ),
};

/** Nobody listens on this plane any more, there or here. */
function block({ near, far }: Ends, plane: Plane, where: 'there' | 'here'): () => void {
  const stream = where === 'there' ? far[plane] : near[plane];
  stream.pause();
  return () => void stream.resume();
}

for (const [blocked, free] of [
  ['data', 'management'],
  ['management', 'data'],
] as const) {
  test(`a blocked ${blocked} plane never delays the ${free} plane, whatever is stuck in it`, async () => {
    const scene = fc.record({
      where: fc.constantFrom('there' as const, 'here' as const),
      stuck: fc.integer({ min: 1, max: 60 }),
      size: fc.integer({ min: 0, max: 50_000 }),
      asked: fc.integer({ min: 1, max: 20 }),
    });
    await fc.assert(
      fc.asyncProperty(scene, async ({ where, stuck, size, asked }) => {
        const ends = served(bench as never);
        const context = {
          device: 'd/1',
          clock: systemClock,
          log: silentLog(),
          dial: () => assert.fail(),
        };
        const connection = await ends.remote.connect({ name: 'one' }, context, soon());
        await connection.write(visitor, 'x'.repeat(size), soon());
        const unblock = block(ends, blocked, where);
        let open = 0;
        const waiting = Array.from({ length: stuck }, async () => {
          // Beyond a ceiling a call is refused at once: what waits is bounded.
          const result = await calls[blocked](connection, size).catch(
            (error: DmiError) => error.code,
          );
          open += 1;
          return result;
        });
        for (let n = 0; n < asked; n++) {
          const start = performance.now();
          await calls[free](connection, 100);
          assert.ok(performance.now() - start < 1_000);
        }
        const refused = open;
        assert.ok(ends.near[blocked].writableLength < 2_200_000);
        unblock();
        const results = await Promise.all(waiting);
        assert.equal(results.filter((result) => result === 'MAPPER_BUSY').length, refused);
        ends.link.end(new Unreachable('MAPPER_DOWN', 'the end'));
      }),
      { numRuns: 25 },
    );
  });
}
