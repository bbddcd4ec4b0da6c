/** A mapper made of the blocks, against the simulator derived from the same declaration. */
import assert from 'node:assert/strict';
import type { Duplex } from 'node:stream';
import test, { suite } from 'node:test';
import * as v from 'valibot';
import { defineMapper } from '../mapper.ts';
import type { SimulatedDevice } from '../simulator.ts';
import {
  checkMapper,
  fakeClock,
  fakeContext,
  silentLog,
  type SubjectItem,
} from '../testing/index.ts';
import type { PropertyType, Value } from '../value.ts';
import { lineConnection } from './connection.ts';
import { Line } from './line.ts';
import { answerLines, lineSimulator } from './simulator.ts';
import { lineFits, type LineVisitor, lineVisitor } from './visitor.ts';
import type { LineWire } from './wire.ts';

const WIRES: Readonly<Record<string, LineWire>> = {
  'lines that set are not answered': { end: '\n', refused: 'ERR' },
  'lines that set are acknowledged': { end: '\r\n', answerEnd: '\r', refused: '?', ack: 'OK' },
};

function mapperFor(wire: LineWire) {
  return defineMapper({
    protocol: 'volt',
    settings: v.strictObject({ address: v.string() }),
    visitor: lineVisitor,
    fits: lineFits,
    async connect({ address }, context, signal) {
      return lineConnection(await Line.open(address, context, wire, signal));
    },
  });
}

function item(
  visitor: Partial<LineVisitor>,
  type: PropertyType,
  reads: Value,
  writes?: readonly Value[],
): SubjectItem {
  const access = writes === undefined ? 'read' : 'readWrite';
  const property = { name: visitor.ask ?? '', type, access } as const;
  return { visitor, property, reads, ...(writes && { writes }) };
}

const items: [SubjectItem, ...SubjectItem[]] = [
  item({ ask: 'MEAS:VOLT?' }, 'float', 11.98),
  item({ ask: 'VOLT?', set: 'VOLT {}' }, 'float', 12, [5, -1.25]),
  item({ ask: 'OUTP?', set: 'OUTP {}', type: 'bool', on: 'ON', off: 'OFF' }, 'bool', true, [
    false,
    true,
  ]),
  item({ ask: 'COUNT?', set: 'COUNT {}', answer: 'N={};', type: 'int' }, 'int', 3, [2n ** 60n, 7]),
];

for (const [what, wire] of Object.entries(WIRES)) {
  suite(what, () => {
    checkMapper(mapperFor(wire), {
      simulator: lineSimulator(wire),
      settings: { address: 'tcp://device:5025' },
      items,
      refused: { ask: 'NO:SUCH?' },
      refusedWrite: { visitor: { ask: 'VOLT?', set: 'NO:SUCH {}' }, value: 1 },
      faults: 100,
    });
  });
}

test('the derived device holds what it is set to, and answers several values at once', async () => {
  const signal = new AbortController().signal;
  const visitors = [0, 2].map((field) =>
    v.parse(lineVisitor, { ask: 'ALL?', answer: '<{}>', field }),
  );
  const device = await lineSimulator().simulate(
    {
      settings: {},
      properties: visitors.map((visitor, at) => ({
        name: `p${at}`,
        type: 'float' as const,
        access: 'read' as const,
        visitor,
        value: at,
      })),
    },
    { clock: fakeClock(), log: silentLog() },
  );
  let lines = 0;
  const serve = (stream: Parameters<NonNullable<SimulatedDevice['accept']>>[0]): void => {
    stream.on('data', () => lines++);
    device.accept?.(stream);
  };
  const context = fakeContext({ wire: serve });
  const connection = await mapperFor({}).connect({ address: 'tcp://x:1' }, context, signal);
  device.set('p1', 7.5);
  assert.deepEqual(await connection.read(visitors, signal), [
    { ok: true, value: 0 },
    { ok: true, value: 7.5 },
  ]);
  assert.equal(lines, 1, 'one question for both');
  assert.equal(device.get('p1'), 7.5);
  assert.throws(() => device.set('p1', 'text'), { code: 'LINE_VALUE' });
  await device.close();
});

test('an answer that makes no sense is the trouble of one property, and the wire is drained before the next', async () => {
  const context = fakeContext({
    wire: (stream) =>
      void stream.on('data', (asked) => stream.write(String(asked) === 'A?\n' ? '----\n' : '2\n')),
  });
  const signal = new AbortController().signal;
  const connection = await mapperFor({}).connect({ address: 'tcp://x:1' }, context, signal);
  const read = connection.read(
    ['A?', 'B?'].map((ask) => v.parse(lineVisitor, { ask })),
    signal,
  );
  for (let turn = 0; turn < 20; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    await context.clock.advance(100);
  }
  const [first, second] = await read;
  assert.ok(first?.ok === false && first.error.code === 'LINE_ANSWER');
  assert.deepEqual(second, { ok: true, value: 2 });
  await connection.close();
});

for (const [how, [refusal, ...behind]] of Object.entries({
  'in one piece': ['ERR 2\n12'],
  'one after the other': ['ERR 2', '12'],
})) {
  test(`what follows the refusal of an order, ${how}, is no answer to the next question`, async () => {
    let device: Duplex | undefined;
    const context = fakeContext({
      wire: (stream) => {
        device = stream;
        answerLines(stream, {}, (line) => {
          if (line === 'A?') return refusal;
          return line === 'B?' ? [...behind, '7'].join('\n') : undefined;
        });
      },
    });
    const signal = new AbortController().signal;
    const wire: LineWire = { end: '\n', refused: 'ERR' };
    const connection = await mapperFor(wire).connect({ address: 'tcp://x:1' }, context, signal);
    const a = v.parse(lineVisitor, { ask: 'A?', set: 'A {}' });
    const b = v.parse(lineVisitor, { ask: 'B?' });
    await assert.rejects(async () => connection.write?.(a, 99, signal), { code: 'LINE_REFUSED' });
    const read = connection.read([b], signal);
    await context.clock.advance(100);
    for (const text of behind.splice(0)) device?.write(`${text}\n`);
    for (let turn = 0; turn < 20; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
      await context.clock.advance(100);
    }
    assert.deepEqual(await read, [{ ok: true, value: 7 }]);
    await connection.close();
  });
}
