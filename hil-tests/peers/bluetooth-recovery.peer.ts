/** The Bluetooth mapper when the air, the device or the adapter fails: BlueZ's virtual controllers behind a line that harms. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import bluetooth from '@limpet/mapper-bluetooth';
import { isConnected, isNotification } from './bluetooth-bench.ts';
import {
  failure,
  place,
  read,
  SETPOINT,
  settingsOf,
  signal,
  subscribe,
  TEMPERATURE,
  until,
  Yard,
} from './bluetooth-client.ts';

const yard = new Yard();

test('a link that ends by itself loses the device, which can be opened anew', async () => {
  const adapter = 'uart:/dev/lossy';
  const connection = await yard.open(yard.boiler, { adapter });
  const watch = await subscribe(connection, { ...TEMPERATURE, via: 'notify' });
  yard.tap.drop(0x08);
  assert.equal(await watch.lost, 'Unreachable BLE_LINK_LOST');
  await connection.close();
  yard.boiler.forget();
  const again = await yard.open(yard.boiler, { adapter });
  assert.deepEqual(await read(again, TEMPERATURE), [21.5]);
  await again.close();
});

test('a connection that fails to be established is tried again within one attempt', async () => {
  const connection = await yard.open(yard.boiler);
  let failures = 0;
  yard.tap.harm = (packet) => {
    // The end of a link of which the mapper never heard.
    if (packet[1] === 0x05 || (packet[1] === 0x0f && packet[4] === 0x06)) return undefined;
    if (!isConnected(packet) || failures >= 2) return packet;
    failures++;
    yard.tap.disconnect(packet.readUInt16LE(5));
    const failed = Buffer.from(packet);
    failed[4] = 0x3e;
    return failed;
  };
  assert.deepEqual(await read(connection, TEMPERATURE), [21.5]);
  assert.equal(failures, 2);
  await connection.close();
});

test('a connection attempt that hangs is cancelled, and the adapter reset where that hangs too', async () => {
  const adapter = 'uart:/dev/hanging';
  const connection = await yard.open(yard.boiler, { adapter, timeout: '1s' });
  const hung = yard.tap;
  hung.harm = (packet) => (isConnected(packet) || packet[1] === 0x0e ? undefined : packet);
  const start = performance.now();
  assert.equal(await failure(read(connection, TEMPERATURE)), 'Unreachable BLE_TIMEOUT');
  assert.ok(performance.now() - start < 2_000);
  await until(() => hung.wire.destroyed, 'the adapter is reset');
  await connection.close();
  const again = await yard.open(yard.boiler, { adapter });
  assert.deepEqual(await read(again, TEMPERATURE), [21.5]);
  await again.close();
});

test('an adapter that is pulled out loses its devices, and is opened again', async () => {
  const adapter = 'uart:/dev/loose';
  const connection = await yard.open(yard.boiler, { adapter });
  const watch = await subscribe(connection, { ...TEMPERATURE, via: 'notify' });
  yard.tap.cut();
  assert.match(await watch.lost, /^Unreachable BLE_(LINK|ADAPTER)_LOST$/);
  assert.match(await failure(read(connection, TEMPERATURE)), /^Unreachable BLE_/);
  await connection.close();
  const again = await yard.open(yard.boiler, { adapter });
  assert.deepEqual(await read(again, TEMPERATURE), [21.5]);
  await again.close();
});

test('notifications that stop are subscribed to anew, and then the device is lost', async () => {
  const connection = await yard.open(yard.boiler);
  yard.boiler.forget();
  const watch = await subscribe(connection, { ...TEMPERATURE, via: 'notify', silence: '1s' });
  await yard.boiler.tells('subscribed');
  yard.tap.harm = (packet) => (isNotification(packet) ? undefined : packet);
  await yard.boiler.tells('unsubscribed');
  await yard.boiler.tells('subscribed');
  assert.equal(await watch.lost, 'Unreachable BLE_NOTIFY_STOPPED');
  await connection.close();
});

test('a device is reached through the adapters that hear it, also when one of them goes', async () => {
  const [left, right] = [yard.adapter(), yard.adapter()];
  const before = yard.taps.length;
  const settings = await settingsOf({
    address: yard.boiler.address,
    adapter: [left, right],
    keep: '0s',
  });
  const connection = await bluetooth.connect(settings, yard.context(), signal());
  await until(() => yard.taps.length === before + 2, 'both adapters');
  assert.deepEqual(await read(connection, TEMPERATURE), [21.5]);
  await delay(200);
  yard.taps[before]?.cut();
  await delay(100);
  assert.deepEqual(await read(connection, TEMPERATURE), [21.5]);
  await until(() => yard.taps.length === before + 3, 'the lost adapter is opened again');
  await connection.close();
});

test('whatever is under way ends within 100 ms of being given up', async () => {
  const settings = await settingsOf({
    address: '02:00:00:00:00:01',
    adapter: yard.adapter(),
  });
  const connection = await yard.open(yard.boiler, { timeout: '9s' });
  yard.tap.harm = (packet) => (isConnected(packet) ? undefined : packet);
  const calls: ((signal: AbortSignal) => Promise<unknown>)[] = [
    (signal) => bluetooth.connect(settings, yard.context('default/other'), signal),
    async (signal) => connection.read([await place(TEMPERATURE)], signal),
    async (signal) => connection.write(await place(SETPOINT), 1, signal),
  ];
  for (const call of calls) {
    const abort = new AbortController();
    const running = call(abort.signal).then(
      () => 'done',
      () => 'rejected',
    );
    await delay(300);
    const start = performance.now();
    abort.abort(new Error('given up'));
    assert.equal(await running, 'rejected');
    assert.ok(performance.now() - start < 100, `${performance.now() - start} ms`);
  }
  await connection.close();
});
