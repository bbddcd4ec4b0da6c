/** U+0000, which PostgreSQL has no text for, in everything that a device or a user says: on each engine the same. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { Device, DeviceModel } from '@limpet/dmi/manifest';
import { CloudBackend } from '../backend.ts';
import { applyReports } from '../hub/apply-report.ts';
import { join as joined } from '../hub/presence.ts';
import { CloudStore } from '../store/store.ts';
import { BOILER, BOILER_1, clockAt, FACTS, placeOf, silent, writesTo } from '../testing.ts';
import { askerOf } from './ask.fixture.ts';

const BEGAN = Date.UTC(2026, 10, 22, 12);
const ODD = 'a\0b';
const MODEL: DeviceModel = {
  ...BOILER,
  spec: {
    ...BOILER.spec,
    description: ODD,
    properties: [
      ...BOILER.spec.properties,
      { name: 'serial', type: 'string', access: 'readWrite', visitor: { address: 20 } },
    ],
  },
};
const DEVICE: Device = {
  ...BOILER_1,
  metadata: { ...BOILER_1.metadata, annotations: { note: ODD } },
  spec: { ...BOILER_1.spec, desired: { serial: ODD } },
};
const PLAIN = { ...BOILER_1, metadata: { ...BOILER_1.metadata, name: 'boiler-2' } };

test('U+0000 of a device or a user is kept, and spoils neither a transaction nor a query of others', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'limpet-odd-text-'));
  const clock = clockAt(BEGAN);
  const history = { ageMs: 86_400_000, bytes: 1e9 };
  const place = placeOf(path.join(folder, 'cloud.db'));
  const store = await CloudStore.open({ path: place, clock, log: silent, history });
  t.after(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const backend = new CloudBackend(store);
  const writes = writesTo(backend);
  const ask = askerOf(store, () => clock.now());
  await store.commit.run((tx) =>
    joined(tx, {
      type: 'hello',
      protocol: 1,
      node: 'gateway-1',
      epoch: 'e1',
      rev: 0,
      facts: { ...FACTS, board: ODD },
    }),
  );
  for (const doc of [MODEL, DEVICE, PLAIN]) {
    const { name, namespace = 'default' } = doc.metadata;
    await writes.create({ kind: doc.kind, namespace, name }, doc as never);
  }
  const reason = { code: 'BUSY', message: ODD };
  const rows = [DEVICE, PLAIN].flatMap(({ metadata: { name } }, place) => {
    const device = `default/${name}`;
    const reported = { value: ODD, at: BEGAN, quality: 'bad', reason } as const;
    return [
      { kind: 'property', seq: 2 * place + 1, device, property: 'serial', reported },
      { kind: 'device', seq: 2 * place + 2, device, state: 'connecting', reason, lastSeen: BEGAN },
    ] as const;
  });
  await store.commit.run((tx) =>
    applyReports(tx, [{ node: 'gateway-1', rows, to: 4, strays: 10 }]),
  );
  clock.advance(1000);

  const found = (await backend.get({
    kind: 'Device',
    namespace: 'default',
    name: 'boiler-1',
  })) as Device;
  assert.equal(found.metadata.annotations?.['note'], ODD);
  assert.equal(found.spec.desired?.['serial'], ODD);
  const { reported } = found.status?.twin['serial'] ?? {};
  assert.deepEqual([reported?.value, reported?.reason?.message], [ODD, ODD]);

  for (const time of ['', ' AS OF now()']) {
    const devices = `SELECT name, desired.serial, labels.hall, node.arch FROM devices${time}`;
    assert.deepEqual(
      await ask(devices),
      [
        ['boiler-1', ODD, 'north', null],
        ['boiler-2', null, 'north', null],
      ],
      time,
    );
    assert.deepEqual(
      await ask(`SELECT model, properties FROM models${time}`),
      [['boiler', 4]],
      time,
    );
    const serials = await ask(`SELECT serial FROM devices WHERE serial LIKE 'a%'${time}`);
    const kept = time === '' ? ODD : 'a\u{fffd}b';
    assert.deepEqual(serials, [[kept], [kept]], time);
    const alike = `SELECT name FROM devices WHERE serial = 'a\u{fffd}b'${time}`;
    assert.deepEqual(await ask(alike), [['boiler-1'], ['boiler-2']], time);
  }
});
