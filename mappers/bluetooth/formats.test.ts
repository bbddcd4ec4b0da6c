import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { Value } from '@limpet/dmi';
import { parseManifests } from '@limpet/dmi/manifest';
import { parseAdvertisement } from './advertisement.ts';
import { bthomeProperties, FORMATS, formatOf } from './formats.ts';
import { Heard } from './heard.ts';
import mapper from './mapper.ts';
import type { Visitor } from './visitor.ts';

async function visitorOf(raw: unknown): Promise<Visitor> {
  const result = await mapper.visitor['~standard'].validate(raw);
  assert.equal(result.issues, undefined, JSON.stringify(result.issues));
  return (result as { value: Visitor }).value;
}

/** Everything that the suggested model of an advertisement reads out of it. */
async function readAll(hex: string): Promise<Record<string, Value | string>> {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  const heard = new Heard();
  const report = {
    address: 'cb:b8:33:4c:88:4f',
    random: true,
    connectable: false,
    response: false,
  };
  heard.take({ ...report, rssi: -60, bytes }, 1000);
  const format = formatOf(parseAdvertisement(bytes));
  assert.ok(format, 'the format is known');
  const values: Record<string, Value | string> = {};
  for (const { name, visitor } of format.model.properties) {
    const reading = heard.reading(await visitorOf(visitor), 1000, 60_000);
    values[name] = reading.ok ? reading.value : reading.error.code;
  }
  return values;
}

/** One AD structure with its length. */
const structure = (hex: string): string => (hex.length / 2).toString(16).padStart(2, '0') + hex;

test("Ruuvi's own test vectors of data format 5 are read as Ruuvi says", async () => {
  const valid = await readAll(
    structure(`ff9904${'0512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F'}`),
  );
  assert.deepEqual(valid, {
    temperature: 24.3,
    humidity: 53.49,
    pressure: 100_044,
    accelerationX: 0.004,
    accelerationY: -0.004,
    accelerationZ: 1.036,
    battery: 2.977,
    txPower: 4,
    movements: 66,
    sequence: 205,
    signal: -60,
  });
  const most = await readAll(
    structure(`ff9904${'057FFFFFFEFFFE7FFF7FFF7FFFFFDEFEFFFECBB8334C884F'}`),
  );
  assert.equal(most['temperature'], 163.835);
  assert.equal(most['humidity'], 163.835);
  assert.equal(most['pressure'], 115_534);
  assert.equal(most['accelerationX'], 32.767);
  assert.equal(most['battery'], 3.646);
  assert.equal(most['txPower'], 20);
  const none = await readAll(
    structure(`ff9904${'058000FFFFFFFF800080008000FFFFFFFFFFFFFFFFFFFFFF'}`),
  );
  assert.equal(none['temperature'], 'BLE_NO_VALUE');
  assert.equal(none['pressure'], 'BLE_NO_VALUE');
  assert.equal(none['sequence'], 'BLE_NO_VALUE');
});

test("BTHome's own example is read as its page says, between flags and a name", async () => {
  const values = await readAll('020106 0B094449592D73656E736F72 0A16D2FC4002C40903BF13');
  assert.deepEqual(values, { temperature: 25, humidity: 50.55, signal: -60 });
});

test('objects of BTHome of all kinds are found one after the other; encrypted ones are refused', async () => {
  // Examples of the objects' table: packet id, battery, pressure, opening, power (signed), text.
  const data = '40 0009 0161 04138A01 1101 5C02FBFFFF 530C48656C6C6F20576F726C6421'.replaceAll(
    ' ',
    '',
  );
  const heard = new Heard();
  const report = { address: 'a', random: false, connectable: false, response: false, rssi: 127 };
  const take = (service: string): void => {
    heard.take({ ...report, bytes: Buffer.from(structure(`16d2fc${service}`), 'hex') }, 0);
  };
  take(data);
  const read = async (object: number, nth = 0) =>
    heard.reading(await visitorOf({ from: 'service', uuid: 'fcd2', object, nth }), 0, 1);
  assert.deepEqual(await read(0x01), { ok: true, value: 97 });
  assert.deepEqual(await read(0x04), { ok: true, value: 1008.83 });
  assert.deepEqual(await read(0x11), { ok: true, value: true });
  assert.deepEqual(await read(0x5c), { ok: true, value: -12.78 });
  assert.deepEqual(await read(0x53), { ok: true, value: 'Hello World!' });
  assert.equal((await read(0x02)).ok, false);
  assert.equal((await read(0x01, 1)).ok, false);
  take('41a47266c95f730011223378237214');
  const encrypted = await read(0x02);
  assert.equal(encrypted.ok ? '' : encrypted.error.code, 'BLE_ENCRYPTED');
});

test('Eddystone telemetry is read by its layout', async () => {
  // Version 0, 3000 mV, 25.5 °C in 8.8 fixed point, 300 advertisements, 1000.0 s.
  const values = await readAll(structure('16aafe20000bb819800000012c00002710'));
  assert.deepEqual(values, {
    battery: 3,
    temperature: 25.5,
    advertisements: 300,
    uptime: 1000,
    signal: -60,
  });
});

test('both formats of Xiaomi thermometers are told apart by their length', async () => {
  const atc = await readAll(structure('161a18a4c1384ea3b900e9383d0b7a0a'));
  assert.deepEqual(atc, {
    temperature: 23.3,
    humidity: 56,
    batteryLevel: 61,
    battery: 2.938,
    signal: -60,
  });
  const pvvx = await readAll(
    structure('161a18b9a34e38c1a4 1a09 6c15 7a0b 3d 0a 05'.replaceAll(' ', '')),
  );
  assert.deepEqual(pvvx, {
    temperature: 23.3,
    humidity: 54.84,
    battery: 2.938,
    batteryLevel: 61,
    measurements: 10,
    contact: true,
    signal: -60,
  });
});

test('an iBeacon is read', async () => {
  const values = await readAll(
    structure(`ff4c000215${'e2c56db5dffb48d2b060d0f5a71096e0'}00010002c5`),
  );
  const { uuid, ...rest } = values;
  assert.equal(Buffer.from(uuid as Uint8Array).toString('hex'), 'e2c56db5dffb48d2b060d0f5a71096e0');
  assert.deepEqual(rest, { major: 1, minor: 2, power: -59, signal: -60 });
});

test('the model files say what discovery suggests, and are valid', async () => {
  const folder = new URL('./models/', import.meta.url);
  const suggested = new Map(FORMATS.map(({ name, properties }) => [name, properties]));
  const present = new Set([0x02, 0x03, 0x04, 0x05, 0x01, 0x0c]);
  suggested.set(
    'bthome',
    bthomeProperties((id) => present.has(id)),
  );
  const files = await readdir(folder);
  assert.deepEqual(
    files.toSorted(),
    [...suggested.keys()].map((name) => `${name}.yaml`).toSorted(),
  );
  for (const file of files) {
    const { resources, faults } = parseManifests(
      await readFile(new URL(file, folder), 'utf8'),
      file,
    );
    assert.deepEqual(faults, [], file);
    const [model] = resources.map(({ resource }) => resource);
    assert.ok(model?.kind === 'DeviceModel', file);
    assert.equal(model.spec.protocol, 'bluetooth');
    assert.deepEqual(model.spec.properties, suggested.get(file.replace('.yaml', '')), file);
  }
});
