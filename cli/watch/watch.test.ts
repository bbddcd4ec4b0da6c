/** `limpet watch` against a real cloud, as a process of its own. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { after, before, test, type TestContext } from 'node:test';
import { silentLog } from '@limpet/dmi/testing';
import { ApiClient } from '../../cloud/protocol/api/client.ts';
import { HeldRows } from '../../cloud/protocol/api/held-rows.ts';
import { type CloudService, startCloud } from '../../cloud/service/main.ts';
import { BOILER, BOILER_1 } from '../../cloud/service/testing.ts';
import { runLimpet, temporaryFolder } from '../testing/run-limpet.ts';
import { redrawn } from './show.ts';

let cloud: CloudService;
let client: ApiClient;
const cleanUps: (() => void)[] = [];

before(async () => {
  const data = temporaryFolder({ after: (task: () => void) => void cleanUps.push(task) });
  cloud = await startCloud({ data, listen: '127.0.0.1:0', log: silentLog() });
  client = new ApiClient({ url: cloud.url });
  await client.create(BOILER);
  await client.create(BOILER_1);
});
after(async () => {
  await cloud.close();
  for (const cleanUp of cleanUps) cleanUp();
});

const target = { kind: 'Device', namespace: 'default', name: 'boiler-1' } as const;
const LIMPET = path.join(path.dirname(import.meta.dirname), 'limpet.mjs');

/** Its lines, one by one. */
function watching(t: TestContext, ...args: readonly string[]): AsyncIterator<string> {
  const all = [LIMPET, 'watch', ...args, '--cloud', cloud.url];
  const child = spawn(process.execPath, all, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  return createInterface(child.stdout)[Symbol.asyncIterator]();
}

const QUERY = "SELECT name, desired.setpoint, created FROM devices WHERE labels.hall = 'north'";

test('without a terminal each change is a line', async (t) => {
  const lines = watching(t, 'SELECT name, desired.setpoint FROM devices');
  const next = async (): Promise<string> => String((await lines.next()).value);
  assert.match(await next(), /^event +name +desired\.setpoint( \(Cel\))?$/);
  assert.match(await next(), /^enter +boiler-1 +55$/);
  await client.patch(target, { spec: { desired: { setpoint: 60 } } });
  assert.match(await next(), /^update +boiler-1 +60$/);
  await client.patch(target, { spec: { desired: { setpoint: 55 } } });
  assert.match(await next(), /^update +boiler-1 +55$/);
});

test('as JSON each change is an object with values by their columns', async (t) => {
  const lines = watching(t, QUERY, '--json');
  const first = JSON.parse(String((await lines.next()).value)) as { row: Record<string, unknown> };
  assert.equal(typeof first.row['created'], 'string');
  const { created: _, ...row } = first.row;
  assert.deepEqual(
    { ...first, row },
    {
      type: 'enter',
      key: ['default/boiler-1'],
      row: { name: 'boiler-1', 'desired.setpoint': 55 },
    },
  );
  await client.patch(target, { metadata: { labels: { hall: 'south' } } });
  assert.deepEqual(JSON.parse(String((await lines.next()).value)), {
    type: 'leave',
    key: ['default/boiler-1'],
  });
});

test('a fault is marked under the text, and told with its place for programs', async () => {
  const query = 'SELECT device FROM devices WHERE temperatur > 5';
  const ran = await runLimpet(['watch', query, '--cloud', cloud.url]);
  assert.equal(ran.code, 1);
  const [said, text, mark] = ran.err.split('\n');
  assert.match(said ?? '', /^limpet: .*Did you mean "temperature"/);
  assert.equal(text, `  ${query}`);
  assert.equal(mark, `  ${' '.repeat(33)}${'^'.repeat(10)}`);
  const json = await runLimpet(['watch', query, '--json', '--cloud', cloud.url]);
  const { error } = JSON.parse(json.err) as { error: Record<string, unknown> };
  assert.deepEqual(
    [error['code'], error['column'], error['suggestion']],
    ['QUERY_NAME', 34, 'temperature'],
  );
});

test('a query comes from the command line or a file, not from both or none', async () => {
  assert.equal((await runLimpet(['watch', '--cloud', cloud.url])).code, 2);
  const file = await runLimpet(['watch', '-f', '/nowhere.sql', '--cloud', cloud.url]);
  assert.equal(file.code, 78);
  assert.match(file.err, /-f \/nowhere\.sql cannot be read \(ENOENT\)/);
});

test('on a terminal the rows are drawn once all are known, in the order that is asked for', () => {
  const held = new HeldRows();
  let drawn = '';
  const screen = { write: (text: string) => void (drawn += text), columns: 80, rows: 24 };
  const view = redrawn(screen, held, false);
  const at = { cursor: 'c', version: '1' };
  const columns = [
    { name: 'device', type: 'text' },
    { name: 'temperature', type: 'number', unit: 'Cel' },
  ] as const;
  held.take({ ...at, type: 'reset', reason: 'start', columns });
  for (const [name, value] of [
    ['a', 1],
    ['b', 2],
  ] as const) {
    view.show(held.take({ ...at, type: 'enter', key: [name], row: [name, value] }), false);
  }
  view.end();
  assert.equal(drawn, '');
  view.show(held.take({ ...at, type: 'bookmark', order: [['b'], ['a']] }), true);
  view.end();
  // oxlint-disable-next-line no-control-regex -- what a terminal is told
  const lines = drawn.replaceAll(/\u001b\[[A-Z0-9]*[A-Z]|\r/g, '').split('\n');
  assert.deepEqual(lines.slice(0, 5), [
    '2 rows',
    '',
    'device   temperature (Cel)',
    'b        2',
    'a        1',
  ]);
});
