import assert from 'node:assert/strict';
import { test } from 'node:test';
import { busAddress } from './listen.ts';
import { PacketGauge } from './packet-gauge.ts';
import { type KeptPacket, Sessions } from './sessions.ts';
import { commandTarget, covers, readCommand, topicKind, twinPayload } from './topics.ts';

test('clients may publish orders and traffic of their own, nothing else', () => {
  for (const [topic, kind] of [
    ['limpet/default/boiler-1/set/setpoint', 'command'],
    ['limpet/default/boiler-1/set/setpoint/result', 'reserved'],
    ['limpet/default/boiler-1/set/', 'reserved'],
    ['limpet/default/boiler-1/twin/setpoint', 'reserved'],
    ['limpet//boiler-1/set/setpoint', 'reserved'],
    ['limpet', 'reserved'],
    ['$SYS/x', 'reserved'],
    ['limpets/x', 'own'],
    ['/limpet/default/boiler-1/set/setpoint', 'own'],
  ] as const) {
    assert.equal(topicKind(topic), kind, topic);
  }
  assert.deepEqual(commandTarget('limpet/default/boiler-1/set/setpoint'), {
    device: 'default/boiler-1',
    property: 'setpoint',
  });
});

test('an order is a JSON value, alone or with an expiry', () => {
  for (const [payload, command] of [
    ['55.5', { value: 55.5 }],
    ['null', { value: null }],
    ['"on"', { value: 'on' }],
    ['{"value":55,"expires":"30s"}', { value: 55, expiresMs: 30_000 }],
    ['{"value":{"value":1}}', { value: { value: 1 } }],
    ['{"value":1,"other":2}', { value: { value: 1, other: 2 } }],
  ] as const) {
    assert.deepEqual(readCommand(payload), command);
  }
});

test('an order that cannot be understood is answered with what was expected', () => {
  for (const payload of ['', 'on', '{"value":1,"expires":30}', '{"value":1,"expires":"soon"}']) {
    const said = readCommand(payload);
    assert.ok(typeof said === 'string' && said.includes('expected'), payload);
  }
});

test('a twin never read is null and stale, never a made-up value', () => {
  assert.deepEqual(JSON.parse(twinPayload({})), { value: null, quality: 'stale' });
});

test('the bus listens on this machine only', () => {
  assert.deepEqual(busAddress('127.0.0.1:1883'), { host: '127.0.0.1', port: 1883 });
  assert.deepEqual(busAddress('[::1]:1883'), { host: '::1', port: 1883 });
  for (const listen of ['0.0.0.0:1883', '10.0.0.1:1883', 'example.com:1883', '[::]:1883']) {
    assert.throws(() => busAddress(listen), { code: 'BUS_NOT_LOOPBACK' });
  }
  for (const listen of ['1883', ':1883', '127.0.0.1', '127.0.0.1:99999']) {
    assert.throws(() => busAddress(listen), { code: 'BUS_BAD_ADDRESS' });
  }
});

/** A packet of `length` bytes after its header. */
function packet(length: number): Buffer {
  const header = [0x30];
  for (let left = length; ; left = Math.floor(left / 128)) {
    if (left < 128) return Buffer.from([...header, left, ...new Uint8Array(length)]);
    header.push((left % 128) | 0x80);
  }
}

test('packets at the limit pass, in whatever pieces; one byte more does not', () => {
  const good = Buffer.concat([packet(0), packet(127), packet(128), packet(300), packet(2)]);
  for (const size of [1, 2, 3, 129, good.length]) {
    const gauge = new PacketGauge(300);
    for (let at = 0; at < good.length; at += size) {
      assert.ok(gauge.admits(good.subarray(at, at + size)), `pieces of ${size}, at ${at}`);
    }
    const bad = packet(301);
    let admitted = true;
    for (let at = 0; at < bad.length; at += size) {
      admitted &&= gauge.admits(bad.subarray(at, at + size));
    }
    assert.equal(admitted, false);
  }
  assert.equal(new PacketGauge(300).admits(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80])), false);
});

function remembering(limits = { sessions: 2, messagesPerSession: 3, bytes: 10_000 }) {
  const dropped: string[] = [];
  const online = new Set<string>();
  const sessions = new Sessions({
    limits,
    isOnline: (client) => online.has(client),
    dropped: (what, client) => void dropped.push(`${what} ${client}`),
  });
  return { sessions, dropped, online };
}
const message = (brokerCounter: number, payload = 'x'): KeptPacket => ({
  brokerId: 'b',
  brokerCounter,
  topic: 't',
  payload,
});

test('a message too many puts out the oldest of the same session', () => {
  const { sessions, dropped } = remembering();
  sessions.open('a');
  for (let i = 1; i <= 5; i++) sessions.enqueue('a', message(i));
  assert.deepEqual(
    sessions.queued('a').map((p) => p.brokerCounter),
    [3, 4, 5],
  );
  assert.deepEqual(dropped, ['message a', 'message a']);
});

test('a session too many puts out the one away longest, never one that is there', () => {
  const { sessions, dropped, online } = remembering();
  online.add('a');
  sessions.open('a');
  sessions.open('b');
  assert.equal(sessions.open('c'), 'b');
  assert.deepEqual(dropped, ['session b']);
  assert.equal(sessions.size, 2);
});

test('the bytes of all sessions together have a ceiling, and are given back', () => {
  const { sessions } = remembering({ sessions: 5, messagesPerSession: 100, bytes: 2_000 });
  sessions.open('a');
  sessions.open('b');
  for (let i = 1; i <= 20; i++) sessions.enqueue(i % 2 ? 'a' : 'b', message(i, 'x'.repeat(300)));
  assert.ok(sessions.bytes <= 2_000, `${sessions.bytes}`);
  for (const client of ['a', 'b']) {
    for (const kept of sessions.queued(client)) {
      sessions.update(client, { ...kept, messageId: kept.brokerCounter ?? 0 });
      sessions.acknowledge(client, kept.brokerCounter);
    }
  }
  assert.equal(sessions.bytes, 0);
});

test('an unnumbered acknowledgement takes nothing away', () => {
  const { sessions } = remembering();
  sessions.open('a');
  sessions.enqueue('a', message(1));
  assert.equal(sessions.acknowledge('a', undefined), undefined);
  assert.equal(sessions.queued('a').length, 1);
});

for (const [filter, topic, covered] of [
  ['#', 'limpet/default/d/state', true],
  ['limpet/#', 'limpet/default/d/state', true],
  ['limpet/default/d/state/#', 'limpet/default/d/state', true],
  ['limpet/+/+/state', 'limpet/default/d/state', true],
  ['limpet/+/+/twin/+', 'limpet/default/d/twin/p', true],
  ['limpet/default/d/twin/p', 'limpet/default/d/twin/p', true],
  ['limpet/+/+/twin', 'limpet/default/d/twin/p', false],
  ['limpet/+/+/twin/+/+', 'limpet/default/d/twin/p', false],
  ['limpet/+/+/set/#', 'limpet/default/d/twin/p', false],
  ['+/+', 'limpet', false],
] as const) {
  test(`the filter ${filter} ${covered ? 'covers' : 'does not cover'} ${topic}`, () => {
    assert.equal(covers(filter, topic), covered);
  });
}
