import assert from 'node:assert/strict';
import { type EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import mqtt from 'mqtt';
import { systemClock } from '../kernel/clock.ts';
import { desired, device, folder, gone, good, model, row, testLog } from '../twin/fixtures.ts';
import { TwinStore } from '../twin/store.ts';
import { Broker } from './broker.ts';
import { EventBus } from './event-bus.ts';

const boiler = model('boiler', [
  { name: 'temperature', access: 'read', unit: 'Cel' },
  { name: 'setpoint', unit: 'Cel', minimum: 20, maximum: 90 },
]);

/** A node with one boiler, its store and its bus, and a client of another make on the bus. */
async function node(t: TestContext) {
  const log = testLog();
  const store = TwinStore.open({ path: join(folder(t), 'twin.db'), clock: systemClock, log });
  t.after(() => store.close());
  store.mergeWanted([row(boiler, 2), row(device('boiler-1', 'boiler'), 4)], 4);
  const broker = await Broker.open({ listen: '127.0.0.1:0', clock: systemClock, log });
  t.after(() => broker.close());
  const options = { node: 'gateway-1', version: '0.1.0', twins: store, broker, log };
  const bus = new EventBus({ ...options, clock: systemClock });
  const { host, port } = broker.address;
  const client = mqtt.connect({ host, port, reconnectPeriod: 0 });
  t.after(() => client.endAsync(true));
  const heard: { topic: string; said: Record<string, unknown> | undefined; retain: boolean }[] = [];
  client.on('message', (topic, payload, { retain }) => {
    const text = payload.toString();
    const said = text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>);
    heard.push({ topic: topic.replace('limpet/default/boiler-1/', ''), said, retain });
  });
  const heardOf = async (topic: string, count = 1) => {
    for (;;) {
      const found = heard.filter((message) => message.topic === topic);
      if (found.length >= count) return found.map(({ said }) => said);
      await once(client as unknown as EventEmitter, 'message');
    }
  };
  await once(client as unknown as EventEmitter, 'connect');
  return { store, bus, broker, client, heard, heardOf, log };
}
const SETPOINT = 'limpet/default/boiler-1/set/setpoint';

test('a reading becomes a retained topic with unit, time and quality', async (t) => {
  const { store, bus, client, heardOf } = await node(t);
  bus.start('none');
  store.condition('default/boiler-1', { state: 'online', lastSeen: 5 });
  store.report('default/boiler-1', new Map([['temperature', good(55.3, 7)]]));
  await client.subscribeAsync('limpet/#', { qos: 1 });
  assert.deepEqual(await heardOf('twin/temperature'), [
    { value: 55.3, at: '1970-01-01T00:00:00.007Z', quality: 'good', unit: 'Cel' },
  ]);
  assert.deepEqual(await heardOf('state'), [
    { state: 'online', lastSeen: '1970-01-01T00:00:00.005Z' },
  ]);
  assert.deepEqual(await heardOf('limpet/node'), [
    { node: 'gateway-1', version: '0.1.0', cloud: 'none' },
  ]);
});

test('while nobody listens nothing is published, and who comes then hears what is so', async (t) => {
  const { store, bus, broker, client, heardOf } = await node(t);
  bus.start('none');
  await client.endAsync(true);
  while (broker.heard) await new Promise((resolve) => setImmediate(resolve));
  const { mock } = t.mock.method(broker, 'publish');
  store.report('default/boiler-1', new Map([['temperature', good(1, 7)]]));
  store.report('default/boiler-1', new Map([['setpoint', good(20, 7)]]));
  await new Promise((resolve) => setImmediate(resolve));
  store.report('default/boiler-1', new Map([['temperature', good(2, 8)]]));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(mock.callCount(), 0);
  client.reconnect();
  await once(client as unknown as EventEmitter, 'connect');
  await client.subscribeAsync('limpet/#', { qos: 1 });
  const [said] = await heardOf('twin/temperature');
  assert.equal(said?.['value'], 2);
  store.report('default/boiler-1', new Map([['temperature', good(3, 9)]]));
  const [, next] = await heardOf('twin/temperature', 2);
  assert.equal(next?.['value'], 3);
});

test('of a value that changes faster than the loop turns only the latest is published', async (t) => {
  const { store, bus, client, heardOf } = await node(t);
  bus.start('none');
  await client.subscribeAsync('limpet/#', { qos: 1 });
  for (let i = 1; i <= 1000; i++) {
    store.report('default/boiler-1', new Map([['temperature', good(i, i)]]));
  }
  const said = await heardOf('twin/temperature');
  assert.equal(said.at(-1)?.['value'], 1000);
  assert.ok(said.length <= 2, `${said.length} messages`);
});

test('an order on the bus is stored, and each of its stages is answered', async (t) => {
  const { store, bus, client, heardOf } = await node(t);
  bus.start('none');
  await client.subscribeAsync(`${SETPOINT}/result`, { qos: 1 });
  await client.publishAsync(SETPOINT, '{"value": 55, "expires": "30s"}', { qos: 1 });
  const [stored] = await heardOf('set/setpoint/result');
  const rev = stored?.['rev'] as number;
  assert.equal(stored?.['verdict'], 'pending');
  assert.equal(rev % 2, 1);
  assert.equal(store.twin('default/boiler-1')?.properties.get('setpoint')?.desired?.rev, rev);
  assert.ok((store.deadline('default/boiler-1', 'setpoint') ?? 0) > Date.now() + 20_000);
  store.judge('default/boiler-1', 'setpoint', rev, { sent: 10 });
  store.judge('default/boiler-1', 'setpoint', rev, { confirmed: 11, verdict: 'applied' });
  const said = await heardOf('set/setpoint/result', 3);
  assert.deepEqual(
    said.map((each) => [each?.['verdict'], Object.keys(each?.['stages'] as object).length]),
    [
      ['pending', 2],
      ['pending', 3],
      ['applied', 4],
    ],
  );
});

test('whoever hears a result has heard the twin that it speaks of', async (t) => {
  const { store, bus, client, heard, heardOf } = await node(t);
  bus.start('none');
  await client.subscribeAsync('limpet/#', { qos: 1 });
  await client.publishAsync(SETPOINT, '55', { qos: 1 });
  const [stored] = await heardOf('set/setpoint/result');
  const rev = stored?.['rev'] as number;
  store.report('default/boiler-1', new Map([['setpoint', good(55, 7)]]));
  store.judge('default/boiler-1', 'setpoint', rev, { verdict: 'applied', confirmed: 8 });
  await heardOf('set/setpoint/result', 2);
  const about = heard.filter(({ topic }) => topic.endsWith('setpoint') || topic.endsWith('result'));
  const last = about.at(-2)?.said as { value?: number; desired?: { verdict?: string } };
  assert.equal(about.at(-1)?.topic, 'set/setpoint/result');
  assert.deepEqual([last.value, last.desired?.verdict], [55, 'applied']);
});

test('an order that changes nothing is answered with how things stand', async (t) => {
  const { bus, client, heardOf } = await node(t);
  bus.start('none');
  await client.subscribeAsync(`${SETPOINT}/result`, { qos: 1 });
  await client.publishAsync(SETPOINT, '55', { qos: 1 });
  await client.publishAsync(SETPOINT, '55', { qos: 1 });
  const [first, second] = await heardOf('set/setpoint/result', 2);
  assert.equal(second?.['rev'], first?.['rev']);
});

for (const [what, property, payload, code] of [
  ['beyond the limits', 'setpoint', '91', 'VALUE_ABOVE_MAXIMUM'],
  ['of the wrong type', 'setpoint', '"hot"', 'VALUE_TYPE'],
  ['for a property that can only be read', 'temperature', '5', 'PROPERTY_READ_ONLY'],
  ['for a property that does not exist', 'setpiont', '5', 'PROPERTY_UNKNOWN'],
  ['that is not JSON', 'setpoint', 'hot', 'ORDER_UNREADABLE'],
] as const) {
  test(`an order ${what} is refused with ${code}, and nothing is stored`, async (t) => {
    const { store, bus, client, heardOf } = await node(t);
    bus.start('none');
    await client.subscribeAsync('limpet/+/+/set/+/result', { qos: 1 });
    await client.publishAsync(`limpet/default/boiler-1/set/${property}`, payload, { qos: 1 });
    const [said] = await heardOf(`set/${property}/result`);
    assert.ok(JSON.stringify(said).includes(`"code":"${code}"`));
    const twin = store.twin('default/boiler-1')?.properties.get(property);
    assert.equal(twin?.desired, undefined);
  });
}

test('an order for a device that is not here is refused by name', async (t) => {
  const { bus, client, heardOf } = await node(t);
  bus.start('none');
  await client.subscribeAsync('limpet/+/+/set/+/result', { qos: 1 });
  await client.publishAsync('limpet/default/boiler-2/set/setpoint', '5', { qos: 1 });
  const [said] = await heardOf('limpet/default/boiler-2/set/setpoint/result');
  assert.match(JSON.stringify(said), /DEVICE_UNKNOWN.*default\/boiler-2/);
});

test('a flood of orders is refused beyond what the disk should bear', async (t) => {
  const { bus, client, heardOf } = await node(t);
  bus.start('none');
  await client.subscribeAsync(`${SETPOINT}/result`, { qos: 1 });
  for (let i = 0; i < 120; i++) client.publish(SETPOINT, `${20 + (i % 60)}`);
  const said = await heardOf('set/setpoint/result', 120);
  const refused = said.filter((each) => JSON.stringify(each).includes('TOO_MANY_ORDERS'));
  assert.ok(refused.length >= 20, `${refused.length} refused`);
});

test('of a device that is removed nothing stays retained', async (t) => {
  const { store, bus, client, heard, heardOf } = await node(t);
  bus.start('none');
  store.mergeWanted([desired('boiler-1.setpoint', 50, 6)], 6);
  store.report('default/boiler-1', new Map([['temperature', good(1, 1)]]));
  await client.subscribeAsync('limpet/+/+/state', { qos: 1 });
  await heardOf('state');
  store.mergeWanted([gone('Device', 'boiler-1', 8)], 8);
  await heardOf('state', 2);
  heard.length = 0;
  await client.subscribeAsync('limpet/#', { qos: 1 });
  await heardOf('limpet/node');
  await client.subscribeAsync('end', { qos: 1 });
  await client.publishAsync('end', '1', { qos: 1 });
  await heardOf('end');
  assert.deepEqual(
    heard.map(({ topic }) => topic),
    ['limpet/node', 'end'],
  );
});

test('the node topic follows the link to the cloud', async (t) => {
  const { bus, client, heardOf } = await node(t);
  bus.start('connecting');
  await client.subscribeAsync('limpet/node', { qos: 1 });
  bus.cloud('connected');
  assert.deepEqual(
    (await heardOf('limpet/node', 2)).map((said) => said?.['cloud']),
    ['offline', 'connected'],
  );
});
