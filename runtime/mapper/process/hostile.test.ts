import { Unreachable } from '@limpet/dmi';
import { silentLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import process from 'node:process';
import { promisify } from 'node:util';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../../kernel/clock.ts';
import { coreEnd } from './fixtures/in-memory.ts';
import { encodeFrame } from './frame.ts';
import { type Exit, MapperProcess } from './mapper-process.ts';
import { remoteMapper } from './remote-mapper.ts';

const HAS = { fits: true, serves: true, port: true, back: true };
const READY = { t: 'ready', wire: 1, ...HAS };
const signal = new AbortController().signal;
const context = { device: 'd/1', clock: systemClock, log: silentLog(), dial: () => assert.fail() };

const number = fc.oneof(fc.nat(12), fc.constantFrom(-1, 0.5, 1e300), fc.jsonValue());
const reading = fc.oneof(fc.tuple(number, number, fc.jsonValue()), fc.jsonValue());
const hostile = fc.oneof(
  fc.record({
    plane: fc.constantFrom('management' as const, 'data' as const),
    message: fc.record(
      {
        t: fc.constantFrom('answer', 'failed', 'push', 'ready', '__proto__', 5),
        id: number,
        r: fc.oneof(
          fc.array(reading),
          fc.record({ subscribes: fc.boolean(), calls: fc.jsonValue() }),
          fc.jsonValue(),
        ),
        e: fc.oneof(fc.tuple(fc.string(), fc.string(), fc.string()), fc.jsonValue()),
        l: fc.oneof(fc.array(fc.jsonValue()), fc.constant([])),
        s: number,
      },
      { requiredKeys: ['t', 'id'] },
    ),
  }),
  fc.record({
    plane: fc.constantFrom('management' as const, 'data' as const),
    message: fc.oneof(fc.jsonValue(), fc.uint8Array({ maxLength: 40 })),
  }),
);

test('whatever a process says, the core goes on: every call ends, and a sink hears only of its wishes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(hostile, { maxLength: 20 }), async (said) => {
      const { link, far, faults } = coreEnd();
      far.management.resume().write(encodeFrame(READY));
      far.data.resume();
      const mapper = remoteMapper('bench', HAS, link);
      const shape = { name: 'p', type: 'int', access: 'read' } as const;
      const heard: number[] = [];
      // Numbers 1 to 4; whatever comes back for them.
      const calls = Promise.allSettled([
        mapper.connect({}, context, signal),
        link.calls.ask(link.management, { t: 'health' }, { take: () => 1 }),
        link.calls.ask(link.data, { t: 'read', connection: 1, visitors: [] }, { take: () => 1 }),
        mapper.fits?.({}, shape),
      ]);
      link.pushes.open(5, 3, { reading: (index) => heard.push(index), lost: () => heard.push(-1) });
      await turn();
      for (const { plane, message } of said) {
        const raw = message instanceof Uint8Array;
        far[plane].write(raw ? message : encodeFrame({ ...(message as object) }));
        await turn();
      }
      link.end(new Unreachable('MAPPER_DOWN', 'the end'));
      await calls;
      assert.equal(link.calls.pending, 0);
      assert.ok(faults.length <= 2);
      assert.ok(heard.every((index) => [-1, 0, 1, 2].includes(index)));
      assert.ok(heard.filter((index) => index === -1).length <= 1);
    }),
    { numRuns: 500 },
  );
});

const WRITES = `const { writeSync } = require('node:fs');
const send = (fd, message) => {
  const body = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  try { writeSync(fd, Buffer.concat([head, body])); } catch (error) { if (error.code !== 'EAGAIN') throw error; }
};
const READY = ${JSON.stringify(READY)};
setInterval(() => {}, 1000);\n`;

/** A process that does this instead of serving a mapper. */
async function run(t: TestContext, code: string, readyMs = 5_000): Promise<MapperProcess> {
  const command = { file: process.execPath, args: ['-e', WRITES + code], env: {} };
  const log = silentLog();
  const child = await MapperProcess.start({
    command,
    protocol: 'bad',
    clock: systemClock,
    log,
    readyMs,
  });
  t.after(() => child.kill());
  return child;
}

async function fate(t: TestContext, code: string): Promise<Exit> {
  return (await run(t, code)).exited;
}

const BAD = {
  'garbage on the data plane': `send(3, READY); writeSync(4, Buffer.alloc(64, 255));`,
  'garbage on the management plane': `send(3, READY); setTimeout(() => writeSync(3, 'GET / HTTP/1.1'), 50);`,
  'answers that nobody asked for': `send(3, READY); for (let id = 0; ; id++) send(3, { t: 'answer', id });`,
  'readings for nobody, without end': `send(3, READY); for (;;) send(4, { t: 'push', r: [], l: [], s: 0 });`,
  'a gigabyte announced': `send(3, READY); writeSync(4, Buffer.from([64, 0, 0, 0]));`,
  'brackets without end': `send(3, READY); const b = Buffer.alloc(1000004, '['); b.writeUInt32BE(1000000); for (;;) try { writeSync(4, b) } catch {}`,
  'pipes that it closes itself': `send(3, READY); setTimeout(() => { require('node:fs').closeSync(3); }, 50);`,
} as const;

for (const [name, code] of Object.entries(BAD)) {
  test(`a process that sends ${name} is ended for it, and costs the core no memory`, async (t) => {
    const before = process.memoryUsage();
    const { signal: ended, reason } = await fate(t, code);
    assert.deepEqual([ended, reason?.code], ['SIGKILL', 'MAPPER_PROTOCOL']);
    const now = process.memoryUsage();
    const grown = now.heapUsed + now.external - before.heapUsed - before.external;
    assert.ok(grown < 32 * 2 ** 20, `${grown} bytes`);
  });
}

test('a process that never gets ready, or says so in words of its own, is ended', async (t) => {
  await assert.rejects(run(t, '', 200), { code: 'MAPPER_DOWN', message: /not ready within 0.2 s/ });
  await assert.rejects(run(t, `send(3, { t: 'ready', wire: 2 })`), { message: /another version/ });
  await assert.rejects(run(t, `console.error('no such board'); process.exit(3)`), {
    code: 'MAPPER_DOWN',
    message: /exit code 3; it printed: no such board/,
  });
  const command = { file: '/nowhere/node', args: [], env: {} };
  const options = { command, protocol: 'bad', clock: systemClock, log: silentLog() };
  await assert.rejects(MapperProcess.start(options), { code: 'MAPPER_DOWN', message: /ENOENT/ });
});

test('a process for which no file descriptor is left is a mapper that is down, not the end of the core', async () => {
  // In a process of its own, which runs out of them.
  const core = `
    import { systemClock as clock } from '${import.meta.resolve('../../kernel/clock.ts')}';
    import { silentLog } from '@limpet/dmi/testing';
    import { openSync } from 'node:fs';
    import { MapperProcess } from '${import.meta.resolve('./mapper-process.ts')}';
    const log = silentLog();
    try { for (;;) openSync('/dev/null'); } catch {}
    const command = { file: process.execPath, args: ['-e', '1'], env: {} };
    await MapperProcess.start({ command, protocol: 'bad', clock, log }).catch(({ code, message }) =>
      setTimeout(() => process.stdout.write(code + ' ' + message), 50));
  `;
  const node = [process.execPath, '--conditions=source', '--input-type=module', '-e', core];
  const { stdout, stderr } = await promisify(execFile)(
    '/bin/sh',
    ['-c', 'ulimit -n 64; exec "$0" "$@"', ...node],
    { cwd: import.meta.dirname },
  );
  assert.match(stdout, /^MAPPER_DOWN .*no file descriptors are left/, stderr);
});

test('a process that is deaf is killed when its grace is over', async (t) => {
  const child = await run(t, `send(3, READY); process.on('SIGTERM', () => {});`);
  const start = performance.now();
  await child.stop(300);
  assert.ok(performance.now() - start < 1_500);
  assert.equal((await child.exited).signal, 'SIGKILL');
});

test('a process that prints without end keeps nobody else waiting', async (t) => {
  const child = await run(
    t,
    `send(3, READY); for (;;) try { writeSync(1, 'noise '.repeat(5000) + '\\n') } catch {}`,
  );
  const noisy = await naps();
  assert.ok(child.lines().length > 0);
  child.kill();
  await child.exited;
  // On a busy machine naps are long without any noise.
  const quiet = await naps();
  assert.ok(noisy < 2 * quiet + 500, `${noisy} ms, ${quiet} ms without the noise`);
});

/** How long fifty naps of 10 ms take. */
async function naps(): Promise<number> {
  const start = performance.now();
  for (let n = 0; n < 50; n++) await sleep(10);
  return performance.now() - start;
}
