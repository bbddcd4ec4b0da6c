/** `limpet query` against a real cloud, as a process of its own. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { silentLog } from '@limpet/dmi/testing';
import { ApiClient } from '../../cloud/protocol/api/client.ts';
import { type CloudService, startCloud } from '../../cloud/service/main.ts';
import { BOILER, BOILER_1 } from '../../cloud/service/testing.ts';
import { type Ran, runLimpet, temporaryFolder } from '../testing/run-limpet.ts';

let cloud: CloudService;
let client: ApiClient;
const cleanUps: (() => void)[] = [];

before(async () => {
  const data = temporaryFolder({ after: (task: () => void) => void cleanUps.push(task) });
  cloud = await startCloud({ data, listen: '127.0.0.1:0', log: silentLog() });
  client = new ApiClient({ url: cloud.url });
  await client.create(BOILER);
  for (const name of ['boiler-1', 'boiler-2', 'boiler-3']) {
    await client.create({ ...BOILER_1, metadata: { ...BOILER_1.metadata, name } });
  }
});
after(async () => {
  await cloud.close();
  for (const cleanUp of cleanUps) cleanUp();
});

const query = (...args: readonly string[]): Promise<Ran> =>
  runLimpet(['query', ...args, '--cloud', cloud.url]);

test('rows are a table with units in its head, values that are none as a dash', async () => {
  const ran = await query('SELECT name, temperature, desired.setpoint FROM devices');
  assert.equal(ran.code, 0, ran.err);
  const lines = ran.out.trimEnd().split('\n');
  assert.match(lines[0] ?? '', /^name +temperature \(Cel\) +desired\.setpoint$/);
  assert.match(lines[1] ?? '', /^boiler-1 +- +55$/);
  assert.equal(lines.length, 4);
});

test('as JSON each row is an object; --limit says when there is more', async () => {
  const ran = await query('SELECT name FROM devices', '--json', '--limit', '2');
  assert.deepEqual(
    ran.out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
    [{ name: 'boiler-1' }, { name: 'boiler-2' }],
  );
  assert.match(ran.err, /the first 2 rows/);
});

test('a write is seen by a query that is given its version', async () => {
  const target = { kind: 'Device', namespace: 'default', name: 'boiler-1' } as const;
  const { metadata } = await client.patch(target, { spec: { desired: { setpoint: 61 } } });
  const ran = await query(
    "SELECT desired.setpoint FROM devices WHERE name = 'boiler-1'",
    '--json',
    '--after',
    metadata.resourceVersion ?? '',
  );
  assert.deepEqual(JSON.parse(ran.out), { 'desired.setpoint': 61 }, ran.err);
});

test('--explain says where it would start', async () => {
  const ran = await query("SELECT name FROM devices WHERE labels.hall = 'north'", '--explain');
  assert.match(ran.out, /labels_value of hall/);
  assert.match(ran.out, /cost \d+ of at most \d+/);
});

test('a fault in a file is marked in its line', async (t) => {
  const file = path.join(temporaryFolder(t), 'hot.sql');
  writeFileSync(file, "SELECT name\nFROM devices\nWHERE temperature > 'hot'\n");
  const ran = await query('-f', file);
  assert.equal(ran.code, 1);
  const [, line, text, mark] = ran.err.split('\n');
  assert.deepEqual([line, text], ['line 3:', "  WHERE temperature > 'hot'"]);
  assert.match(mark ?? '', /^ +\^+$/);
});
