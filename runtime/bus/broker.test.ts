import assert from 'node:assert/strict';
import { type EventEmitter, once } from 'node:events';
import { connect as connectTcp, createServer } from 'node:net';
import { test, type TestContext } from 'node:test';
import type { Log } from '@limpet/dmi';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import mqttPacket from 'mqtt-packet';
import { systemClock } from '../kernel/clock.ts';
import { Broker, type BusLimits } from './broker.ts';

const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silent,
};

async function opened(t: TestContext, limits: Partial<BusLimits> = {}): Promise<Broker> {
  const broker = await Broker.open({
    listen: '127.0.0.1:0',
    clock: systemClock,
    log: silent,
    limits,
  });
  t.after(() => broker.close());
  return broker;
}

/** mqtt's own emitter type hides from `once` that it is one. */
const happens = (one: MqttClient, event: string): Promise<unknown[]> =>
  once(one as unknown as EventEmitter, event);

async function client(
  t: TestContext,
  broker: Broker,
  options: IClientOptions = {},
): Promise<MqttClient> {
  const { host, port } = broker.address;
  const one = mqtt.connect({ host, port, reconnectPeriod: 0, protocolVersion: 4, ...options });
  one.on('error', () => undefined);
  t.after(() => one.endAsync(true));
  await happens(one, 'connect');
  return one;
}

function messages(one: MqttClient): string[] {
  const heard: string[] = [];
  one.on('message', (topic, payload) => void heard.push(`${topic} ${payload.toString()}`));
  return heard;
}
/** Through the broker and back: what was published before is here by now. */
async function settled(one: MqttClient): Promise<void> {
  await one.subscribeAsync('ping/#', { qos: 1 });
  const back = happens(one, 'message');
  await one.publishAsync('ping/x', 'x', { qos: 1 });
  await back;
}

for (const qos of [0, 1, 2] as const) {
  test(`what the node publishes is retained and heard at QoS ${qos}`, async (t) => {
    const broker = await opened(t);
    broker.publish('limpet/default/d/twin/p', '1', { retain: true });
    const one = await client(t, broker);
    const heard = messages(one);
    await one.subscribeAsync('limpet/#', { qos });
    broker.publish('limpet/default/d/twin/p', '2', { retain: true });
    await settled(one);
    assert.deepEqual(heard.slice(0, 2), ['limpet/default/d/twin/p 1', 'limpet/default/d/twin/p 2']);
    broker.publish('limpet/default/d/twin/p', '', { retain: true });
    const other = await client(t, broker);
    const later = messages(other);
    await other.subscribeAsync('limpet/#', { qos });
    await settled(other);
    assert.deepEqual(later, ['ping/x x']);
  });

  test(`orders arrive at QoS ${qos}, and are never retained`, async (t) => {
    const broker = await opened(t);
    const orders: string[] = [];
    broker.onCommand((topic, payload) => void orders.push(`${topic} ${payload}`));
    const one = await client(t, broker);
    await one.publishAsync('limpet/default/d/set/p', '5', { qos, retain: true });
    await settled(one);
    assert.deepEqual(orders, ['limpet/default/d/set/p 5']);
    const other = await client(t, broker);
    const heard = messages(other);
    await other.subscribeAsync('limpet/#');
    await settled(other);
    assert.deepEqual(heard, ['ping/x x']);
  });
}

test('a client that publishes as if it were the node is cut off and counted, and nobody hears it', async (t) => {
  const broker = await opened(t);
  const listener = await client(t, broker);
  const heard = messages(listener);
  await listener.subscribeAsync('limpet/#');
  for (const topic of ['limpet/default/d/twin/p', 'limpet/node', 'limpet/default/d/set/p/result']) {
    const liar = await client(t, broker);
    const closed = happens(liar, 'close');
    liar.publish(topic, '1', { retain: true });
    await closed;
  }
  await settled(listener);
  assert.deepEqual(heard, ['ping/x x']);
  assert.equal(broker.counters()['BUS_TOPIC_RESERVED'], 3);
});

test('a last will obeys the same rules', async (t) => {
  const broker = await opened(t);
  const listener = await client(t, broker);
  const heard = messages(listener);
  await listener.subscribeAsync('#');
  for (const topic of ['limpet/default/d/state', 'own/will']) {
    const one = await client(t, broker, {
      will: { topic, payload: Buffer.from('gone'), qos: 1, retain: false },
    });
    one.stream.destroy();
    await happens(one, 'close');
  }
  await settled(listener);
  await settled(listener);
  assert.deepEqual(
    heard.filter((line) => !line.startsWith('ping')),
    ['own/will gone'],
  );
});

test('clients, their subscriptions and what they retain have ceilings', async (t) => {
  const broker = await opened(t, {
    clients: 2,
    subscriptionsPerClient: 2,
    retainedMessages: 2,
  });
  const one = await client(t, broker);
  const granted = await one.subscribeAsync(['a', 'b', 'c']).catch((error: unknown) => error);
  assert.match(String(granted), /Unspecified error|128|Subscribe/);
  const two = await client(t, broker);
  const three = mqtt.connect({ ...broker.address, reconnectPeriod: 0 });
  three.on('error', () => undefined);
  await happens(three, 'close');
  await three.endAsync(true);
  for (const topic of ['x', 'y', 'x']) await two.publishAsync(topic, '1', { qos: 1, retain: true });
  const closed = happens(two, 'close');
  two.publish('z', '1', { retain: true });
  await closed;
  const counters = broker.counters();
  assert.equal(counters['BUS_TOO_MANY_CLIENTS'], 1);
  assert.equal(counters['BUS_TOO_MANY_SUBSCRIPTIONS'], 1);
  assert.equal(counters['BUS_RETAINED_FULL'], 1);
  assert.equal(counters['retainedByClients'], 2);
});

test('a packet beyond the limit cuts its client off before it is collected', async (t) => {
  const broker = await opened(t, { packetBytes: 1000 });
  const one = await client(t, broker);
  await one.publishAsync('own', 'x'.repeat(900), { qos: 1 });
  const closed = happens(one, 'close');
  one.publish('own', 'x'.repeat(1000));
  await closed;
  assert.equal(broker.counters()['BUS_PACKET_TOO_LARGE'], 1);
});

/** Subscribes to everything of the node and then reads nothing. */
async function slowClient(t: TestContext, broker: Broker, id: string): Promise<void> {
  const slow = connectTcp(broker.address.port, broker.address.host);
  t.after(() => slow.destroy());
  await once(slow, 'connect');
  const options = { protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 0 } as const;
  slow.write(mqttPacket.generate({ cmd: 'connect', clientId: id, ...options }));
  await once(slow, 'data');
  slow.write(
    mqttPacket.generate({
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: [{ topic: 'limpet/#', qos: 0 }],
    }),
  );
  await once(slow, 'data');
  slow.pause();
}

test('a client that stops reading is cut off, and the others do not wait for it', async (t) => {
  const broker = await opened(t, { unreadBytes: 100_000 });
  await slowClient(t, broker, 'slow');
  const quick = await client(t, broker);
  const heard = messages(quick);
  await quick.subscribeAsync('limpet/#');
  const payload = 'x'.repeat(50_000);
  for (let i = 0; i < 400 && broker.counters()['BUS_SLOW_CLIENT'] === undefined; i++) {
    const arrived = happens(quick, 'message');
    broker.publish('limpet/default/d/twin/p', payload, { retain: true });
    await arrived;
  }
  assert.equal(broker.counters()['BUS_SLOW_CLIENT'], 1);
  assert.equal(broker.counters()['clients'], 1);
  assert.ok(heard.length > 0);
});

test('forty clients that stop reading share 8 MiB, and are cut off one after the other', async (t) => {
  const broker = await opened(t);
  for (let each = 0; each < 40; each++) await slowClient(t, broker, `slow-${each}`);
  const payload = 'x'.repeat(50_000);
  let most = 0;
  for (let i = 0; i < 400 && (broker.counters()['BUS_SLOW_CLIENT'] ?? 0) < 40; i++) {
    broker.publish('limpet/default/d/twin/p', payload, { retain: true });
    await new Promise((resolve) => void setImmediate(resolve));
    most = Math.max(most, broker.counters()['unreadBytes'] ?? 0);
  }
  assert.equal(broker.counters()['BUS_SLOW_CLIENT'], 40);
  // One message may go beyond the share of each.
  assert.ok(most > 2 ** 20 && most < 8 * 2 ** 20 + 40 * 51_000, `${most} bytes unread`);
});

test('a client that asked to be remembered gets what it missed, the newest of it', async (t) => {
  const broker = await opened(t, { messagesPerSession: 5 });
  const options = { clientId: 'archive', clean: false };
  const before = await client(t, broker, options);
  await before.subscribeAsync('limpet/#', { qos: 1 });
  await before.endAsync();
  for (let i = 0; i < 20; i++) broker.publish('limpet/default/d/twin/p', `${i}`, { retain: true });
  const { host, port } = broker.address;
  const after = mqtt.connect({ host, port, reconnectPeriod: 0, protocolVersion: 4, ...options });
  t.after(() => after.endAsync(true));
  const heard = messages(after);
  await happens(after, 'connect');
  while (heard.length < 5) await happens(after, 'message');
  await settled(after);
  assert.deepEqual(
    heard.slice(0, 5).map((line) => line.split(' ')[1]),
    ['15', '16', '17', '18', '19'],
  );
  assert.equal(broker.counters()['BUS_MESSAGE_DROPPED'], 15);
  assert.equal(broker.counters()['sessions'], 1);
});

test('clients that come, ask to be remembered and never return do not pile up', async (t) => {
  const broker = await opened(t, { sessions: 3 });
  for (let i = 0; i < 10; i++) {
    const one = await client(t, broker, { clientId: `c${i}`, clean: false });
    await one.subscribeAsync('limpet/#', { qos: 1 });
    await one.endAsync();
  }
  broker.publish('limpet/default/d/twin/p', '1', { retain: true });
  assert.equal(broker.counters()['sessions'], 3);
  assert.equal(broker.counters()['BUS_SESSION_DROPPED'], 7);
});

test('a taken port is told by number, with what to do', async (t) => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  await assert.rejects(
    Broker.open({ listen: `127.0.0.1:${port}`, clock: systemClock, log: silent }),
    (error: unknown) =>
      error instanceof Error &&
      (error as Error & { code: string }).code === 'BUS_PORT_TAKEN' &&
      error.message.includes(`port ${port}`),
  );
});

test('the number cache of mqtt-packet, 65,536 buffers, is never built', async (t) => {
  const broker = await opened(t);
  await client(t, broker);
  assert.equal(mqttPacket.writeToStream.cacheNumbers, false);
});
