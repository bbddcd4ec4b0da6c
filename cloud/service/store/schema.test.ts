import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import Sqlite from 'better-sqlite3';
import { BOILER, BOILER_1, clockAt, FACTS, silent } from '../testing.ts';
import { FIRST } from './schema.ts';
import { CloudStore } from './store.ts';

const folder = mkdtempSync(join(tmpdir(), 'limpet-schema-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A database as the first Limpet left it: a boiler with a value, an order carried out, and a former node's row. */
function older(path: string): void {
  const db = new Sqlite(path);
  db.exec(FIRST);
  db.pragma(`application_id = ${0x4c696d70}`);
  db.pragma('user_version = 1');
  db.exec('UPDATE line SET last = 1000, forgotten = 7');
  const object = db.prepare(
    'INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, 10, 20, 30, 5, 2, 1000)',
  );
  const { desired: _, ...spec } = BOILER_1.spec;
  const device = JSON.stringify({ ...BOILER_1, spec });
  const named = ['default/boiler-1', 'default', 'boiler-1', 'u1'];
  object.run('Device', ...named, device, 'gateway-1', 'boiler');
  object.run(
    'DeviceModel',
    'default/boiler',
    'default',
    'boiler',
    'u2',
    JSON.stringify(BOILER),
    null,
    null,
  );
  const mirror = db.prepare('INSERT INTO mirrors VALUES (?, ?, ?, ?, ?)');
  const reported = (value: unknown) => JSON.stringify({ value, at: 900, quality: 'good' });
  const judged = { rev: 10, verdict: 'applied', stages: { stored: 901, confirmed: 903 } };
  mirror.run('default/boiler-1', 'setpoint', 'gateway-1', reported(55.5), JSON.stringify(judged));
  mirror.run('default/boiler-1', 'pump', 'gateway-1', reported(true), null);
  mirror.run('default/boiler-1', 'temperature', 'gateway-0', reported(1), null);
  db.exec(
    `INSERT INTO desired VALUES ('default/boiler-1', 'setpoint', 'gateway-1', '55.5', 10, 21, 890, NULL)`,
  );
  db.exec(`INSERT INTO conditions VALUES ('default/boiler-1', 'gateway-1', 'online', NULL, 905)`);
  db.prepare(`INSERT INTO nodes VALUES ('gateway-1', 'online', 950, ?, 'e1', 40, 21)`).run(
    JSON.stringify(FACTS),
  );
  db.close();
}

test('a database of the first schema becomes one of the present, with everything that was in it', async () => {
  const path = join(folder, 'cloud.db');
  older(path);
  const store = await CloudStore.open({ path, clock: clockAt(2000), log: silent });
  const device = await store.read(({ view }) => view.get('Device', 'default/boiler-1'));
  assert.deepEqual(device?.kind === 'Device' && device.status, {
    state: 'online',
    lastSeen: '1970-01-01T00:00:00.905Z',
    twin: {
      setpoint: {
        reported: { value: 55.5, at: '1970-01-01T00:00:00.900Z', quality: 'good' },
        desired: {
          value: 55.5,
          rev: 10,
          verdict: 'applied',
          stages: {
            accepted: '1970-01-01T00:00:00.890Z',
            stored: '1970-01-01T00:00:00.901Z',
            confirmed: '1970-01-01T00:00:00.903Z',
          },
        },
      },
      pump: { reported: { value: true, at: '1970-01-01T00:00:00.900Z', quality: 'good' } },
    },
  });
  assert.equal(device?.metadata.resourceVersion, '30');
  const { node, stray, line } = await store.read(async ({ nodes, mirrors, view }) => ({
    node: await nodes.get('gateway-1'),
    stray: await mirrors.stray({
      node: 'gateway-0',
      device: 'default/boiler-1',
      property: 'temperature',
    }),
    line: await view.line(),
  }));
  assert.deepEqual([node?.epoch, node?.seq, node?.stored, node?.lastSeen], ['e1', 40, 21, 950]);
  assert.equal(stray?.reported?.value, 1);
  assert.deepEqual(line, { version: 1000, forgotten: 7 });
  const other = { ...BOILER_1, metadata: { name: 'boiler-2', namespace: 'default' } };
  const { n } = await store.commit.run(({ wanted }) => wanted.put('default/boiler-2', other));
  assert.equal(n, 3);
  await store.close();
});
