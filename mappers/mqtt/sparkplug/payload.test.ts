import assert from 'node:assert/strict';
import process from 'node:process';
import { test } from 'node:test';
import { Garbled, type Json, type Value } from '@limpet/dmi';
import { parse } from 'valibot';
import { type Layout, visitor } from '../visitor.ts';
import { metricFor, readingOf } from './metric.ts';
import { decodePayload, encodePayload, type Metric, seqOf, TYPE } from './payload.ts';

/** As protoc 3.21 encodes it after sparkplug_b.proto. */
const BYTES = Buffer.from(
  '08eaf2f5a8a02b12120a05626453657118eaf2f5a8a02b20045807124e0a11496e6c65742f54656d7065726174757265100118f0f1f5a8a02b2009420518094201784a220a075175616c6974790a07656e67556e69741205080318f4031207080c420343656c659a99ad41120c10022002280150f6ffffff0f12120a036c6f77200458ffffffffffffffffff0112320a057461626c6520108a012608021201611201621803180c22090a0208010a03320178220d0a0608ffffffff0f0a0332017912310a056d6f746f7220139201250a0131120a0a0372706d20035084071a0d0a056d616b6572100c4202776522054d6f746f72120c0a03726177201182010201ff120a0a046e6f6e65200a380112080a026f6e200b700118ff01',
  'hex',
);

function layout(type: string, more: object = {}): Layout {
  return parse(visitor, { metric: 'x', type, ...more }).layout;
}

function value(name: string | undefined, type: string): Value {
  const metric = decodePayload(BYTES).metrics?.find((each) => each.name === name);
  assert.ok(metric);
  const reading = readingOf(metric, metric.datatype ?? 0, layout(type));
  if (!reading.ok) throw reading.error;
  return reading.value;
}

test('bytes that protoc made are understood', () => {
  const payload = decodePayload(BYTES);
  assert.equal(payload.timestamp, 1_486_144_502_122);
  assert.equal(payload.seq, 255);
  assert.equal(seqOf(BYTES), 255);
  assert.equal(value('bdSeq', 'number'), 7);
  assert.equal(value('low', 'number'), -1);
  assert.equal(value('on', 'bool'), true);
  assert.deepEqual(value('raw', 'bytes'), Uint8Array.of(1, 255));
  assert.deepEqual(value('table', 'json'), {
    columns: ['a', 'b'],
    rows: [
      [1, 'x'],
      [-1, 'y'],
    ],
  } satisfies Json);
  assert.deepEqual(value('motor', 'json'), {
    template: 'Motor',
    version: '1',
    metrics: { rpm: 900 },
    parameters: { maker: 'we' },
  } satisfies Json);
});

test('a metric without a name has its alias, and keeps its sign and that it is of the past', () => {
  const metric = decodePayload(BYTES).metrics?.[2];
  assert.equal(metric?.alias, 2);
  assert.equal(metric?.historical, true);
  const reading = readingOf(metric ?? {}, TYPE.Int16, layout('number', { scale: 0.1 }));
  assert.deepEqual(reading, { ok: true, value: -1 });
});

test("a float is its shortest decimal, with the device's time, and in doubt where the device says so", () => {
  const metric = decodePayload(BYTES).metrics?.[1] ?? {};
  const reading = readingOf(metric, TYPE.Float, layout('number'));
  assert.ok(reading.ok);
  assert.equal(reading.value, 21.7);
  assert.equal(reading.at, 1_486_144_502_000);
  assert.equal(reading.doubt?.code, 'MQTT_QUALITY');
});

test('a metric that is null has no value', () => {
  const metric = decodePayload(BYTES).metrics?.find(({ name }) => name === 'none') ?? {};
  const reading = readingOf(metric, TYPE.Double, layout('number'));
  assert.ok(!reading.ok && reading.error.code === 'MQTT_NULL');
});

test('what is written is of the type that the birth declared, and reads back as itself', () => {
  const cases: readonly (readonly [Value, string, number])[] = [
    [-5, 'number', TYPE.Int8],
    [-70_000, 'number', TYPE.Int32],
    [-(2n ** 60n), 'number', TYPE.Int64],
    [2n ** 63n, 'number', TYPE.UInt64],
    [255, 'number', TYPE.UInt8],
    [21.7, 'number', TYPE.Float],
    [1e300, 'number', TYPE.Double],
    [false, 'bool', TYPE.Boolean],
    ['Grüße', 'text', TYPE.String],
    [Uint8Array.of(9, 0), 'bytes', TYPE.Bytes],
  ];
  for (const [wanted, type, datatype] of cases) {
    const metric: Metric = { name: 'x', datatype, ...metricFor(wanted, layout(type), datatype) };
    const [back] = decodePayload(encodePayload({ metrics: [metric], seq: 0 })).metrics ?? [];
    const reading = readingOf(back ?? {}, datatype, layout(type));
    assert.deepEqual(reading, { ok: true, value: wanted });
  }
  const tooLarge = (): unknown => metricFor(300, layout('number'), TYPE.Int8);
  assert.throws(tooLarge, { code: 'MQTT_VALUE' });
});

test('arrays are lists', () => {
  const read = (bytes: readonly number[], datatype: number): unknown => {
    const reading = readingOf({ bytes: Buffer.from(bytes) }, datatype, layout('json'));
    return reading.ok ? reading.value : reading.error.code;
  };
  assert.deepEqual(read([0xfe, 0xff, 1, 0], 23), [-2, 1]);
  assert.deepEqual(read([3, 0, 0, 0, 0b1010_0000], 32), [true, false, true]);
  assert.deepEqual(read([0x61, 0, 0x62, 0], 33), ['a', 'b']);
});

test('nonsense, and what is cut off anywhere, is Garbled or has fewer metrics', () => {
  for (let end = 0; end < BYTES.length; end++) {
    try {
      decodePayload(BYTES.subarray(0, end));
    } catch (error) {
      assert.ok(error instanceof Garbled, String(error));
    }
  }
  let seed = 11;
  const random = (): number => (seed = (seed * 48_271) % 0x7fffffff) & 0xff;
  for (let round = 0; round < 2000; round++) {
    try {
      decodePayload(Buffer.from(Array.from({ length: 60 }, random)));
    } catch (error) {
      assert.ok(error instanceof Garbled, String(error));
    }
  }
});

test('a payload of very many metrics costs each of them once', () => {
  const metrics = Array.from({ length: 60_000 }, (_, alias): Metric => ({ alias, int: 1 }));
  const bytes = encodePayload({ metrics });
  const before = process.cpuUsage();
  assert.equal(decodePayload(bytes).metrics?.length, metrics.length);
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 2_000_000, `${(user + system) / 1e6} s of processor`);
});
