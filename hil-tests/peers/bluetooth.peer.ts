/** The Bluetooth mapper against what is not ours: BlueZ's virtual controllers, and bleno's devices on them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Found, Search } from '@limpet/dmi';
import bluetooth from '@limpet/mapper-bluetooth';
import { parseAddress } from '#runtime/device/address.ts';
import { openStream } from '#runtime/device/open.ts';
import {
  failure,
  own,
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

const LONG = { service: '181a', characteristic: own(2) };
const STUBBORN = { service: '181a', characteristic: own(3), type: 'uint8' };
const BTHOME = { from: 'service', uuid: 'fcd2', object: 2 };

const yard = new Yard();

for (const noble of ['stoprocent', 'abandonware']) {
  test(`through @${noble}/noble a device is heard, linked to, read, written and read back`, async () => {
    const connection = await yard.open(yard.boiler, { noble });
    assert.deepEqual(await read(connection, { from: 'name' }, TEMPERATURE, SETPOINT), [
      'boiler',
      21.5,
      21.5,
    ]);
    assert.equal(await connection.write(await place(SETPOINT), 45.5, signal()), 45.5);
    assert.equal(await yard.boiler.tells('written'), 'written c701');
    const quick = { ...SETPOINT, write: 'withoutResponse' };
    assert.equal(await connection.write(await place(quick), -12.3, signal()), -12.3);
    assert.equal(await yard.boiler.tells('commanded'), 'commanded 85ff');
    assert.deepEqual(await read(connection, SETPOINT), [-12.3]);
    await connection.write(await place(SETPOINT), 21.5, signal());
    await connection.close();
    await yard.boiler.tells('unlinked');
  });

  test(`through @${noble}/noble long values are read and written in parts; descriptors are read; refusals are values`, async () => {
    const connection = await yard.open(yard.boiler, { noble });
    const label = { ...TEMPERATURE, descriptor: '2901', type: 'text', scale: undefined };
    const [long, text] = await read(connection, LONG, JSON.parse(JSON.stringify(label)) as object);
    assert.equal((long as Uint8Array).length, 300);
    assert.equal(text, 'boiler room');
    const other = Uint8Array.from({ length: 400 }, (_, i) => i % 256);
    await connection.write(await place(LONG), other, signal());
    assert.deepEqual(await read(connection, LONG), [other]);
    await connection.write(await place(LONG), new Uint8Array(300).fill(7), signal());
    const missing = { ...TEMPERATURE, characteristic: '2a6f' };
    assert.deepEqual(await read(connection, STUBBORN, missing, TEMPERATURE), [
      'BLE_ATT_14',
      'BLE_NO_ATTRIBUTE',
      21.5,
    ]);
    const refused = connection.write(await place(STUBBORN), 1, signal());
    assert.equal(await failure(refused), 'Refused BLE_ATT_13');
    const secret = { service: '181a', characteristic: own(5), type: 'text' };
    assert.deepEqual(await read(connection, secret), ['BLE_ATT_5']);
    await connection.close();
  });

  test(`through @${noble}/noble notifications and indications are told until the subscription ends`, async () => {
    const connection = await yard.open(yard.boiler, { noble });
    const indicated = { service: '181a', characteristic: own(4), type: 'uint8', via: 'indicate' };
    yard.boiler.forget();
    const watch = await subscribe(
      connection,
      { ...TEMPERATURE, via: 'notify' },
      SETPOINT,
      indicated,
    );
    assert.deepEqual(watch.polled, [1]);
    for (const hex of ['6708', '6808']) yard.boiler.say(`notify ${hex}`);
    yard.boiler.say('indicate 2a');
    await until(() => watch.told[0]?.at(-1) === 21.52 && watch.told[2]?.at(-1) === 42, 'both told');
    assert.deepEqual(watch.told[0], [21.5, 21.51, 21.52]);
    watch.end();
    await yard.boiler.tells('unsubscribed');
    yard.boiler.say('notify 6608');
    await connection.close();
    assert.equal(watch.told[0]?.length, 3);
  });
}

async function all(search: Search): Promise<Found[]> {
  const found: Found[] = [];
  for await (const each of bluetooth.discover?.(search, yard.context(), signal()) ?? [])
    found.push(each);
  return found;
}

test('a search finds who is there; of one it lists services and characteristics as a model', async () => {
  const found = await all({ where: yard.adapter(), settings: { scan: '3s' } });
  const names = new Set(found.map(({ about }) => about.split(',')[0]));
  assert.deepEqual(names, new Set(['boiler', 'tank']));
  const [first] = found.filter(({ about }) => about.startsWith('boiler'));
  assert.equal(first?.settings['address'], yard.boiler.address);
  const look = { where: yard.boiler.address, settings: { adapter: yard.adapter() } };
  const [device] = await all(look);
  const temperature = device?.model?.properties.find(({ name }) => name === 'temperature');
  assert.deepEqual(temperature?.path, ['Environmental Sensing']);
  assert.equal(temperature?.visitor['via'], 'notify');
  assert.equal(device?.model?.properties.length, 6);
});

test('what a sensor advertises is told when it changes, without a link, and lost with its silence', async () => {
  yard.tank.forget();
  yard.tank.say('advertise 0716d2fc4002c409');
  await yard.tank.tells('advertising');
  const connection = await yard.open(yard.tank, { silence: '2s' });
  const watch = await subscribe(connection, BTHOME);
  await until(() => watch.told[0]?.at(-1) === 25, 'the first value');
  yard.tank.say('advertise 0716d2fc4002ca09');
  await until(() => watch.told[0]?.at(-1) === 25.06, 'the second value');
  yard.tap.harm = (packet) => (packet[1] === 0x3e ? undefined : packet);
  assert.equal(await watch.lost, 'Unreachable BLE_SILENT');
  assert.equal(await failure(read(connection, BTHOME)), 'Unreachable BLE_SILENT');
  await connection.close();
  yard.tank.say('connectable');
  await yard.tank.tells('connectable');
});

test('two devices take turns at one slot', async () => {
  const settings = { adapter: yard.adapter(), slots: 1, keep: '1h' };
  const [one, two] = [await yard.open(yard.boiler, settings), await yard.open(yard.tank, settings)];
  const watch = await subscribe(one, { ...TEMPERATURE, via: 'notify' });
  assert.deepEqual(watch.polled, [0], 'nobody keeps the only slot for good');
  for (let round = 0; round < 3; round++) {
    assert.deepEqual(await read(one, TEMPERATURE), [21.5]);
    assert.deepEqual(await read(two, TEMPERATURE), [21.5]);
  }
  const [a, b] = await Promise.all([
    read(one, TEMPERATURE),
    read(two, TEMPERATURE, { from: 'waited' }),
  ]);
  assert.deepEqual(a, [21.5]);
  assert.equal(typeof b?.[1], 'number');
  watch.end();
  await one.close();
  await two.close();
});

test('an adapter on a real line is opened with its speed', async () => {
  const line = await yard.air.line();
  const context = {
    ...yard.context(),
    dial: (address: string, within: AbortSignal) => openStream(parseAddress(address), within),
  };
  const settings = await settingsOf({
    address: yard.boiler.address,
    adapter: `uart:${line.path}?baud=1000000`,
  });
  const connection = await bluetooth.connect(settings, context, signal());
  assert.deepEqual(await read(connection, TEMPERATURE), [21.5]);
  await connection.close();
  line.close();
});
