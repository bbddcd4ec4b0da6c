/** Whom the store's engine lets in on a real PostgreSQL, and what keeps it from starting. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, afterEach, before, test } from 'node:test';
import { Bench, CREATE, store, thing } from './postgres-things.ts';

let bench: Bench;
before(async () => {
  bench = await Bench.start();
});
afterEach(() => bench.clear());
after(() => bench.stop());

test('a second service is refused and told who is there, and gets in when the first was killed', async () => {
  const { url } = bench.fresh();
  const script = `
    const { openPostgres } = await import('#cloud/service/store/postgres/engine.ts');
    const { parseTarget } = await import('#cloud/service/store/postgres/target.ts');
    const log = { debug() {}, info() {}, warn() {}, error() {}, with: () => log };
    const clock = { now: Date.now, monotonic: () => performance.now(), sleep: async () => {}, after: () => () => {} };
    const tables = ${JSON.stringify({ version: 1, create: CREATE })};
    await openPostgres({ target: parseTarget(${JSON.stringify(url)}, { env: {} }), tables: { ...tables, upgrades: new Map() }, clock, log });
    console.log('held');
    setInterval(() => {}, 1000);`;
  const child = spawn(
    process.execPath,
    ['--conditions=source', '--input-type=module', '-e', script],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  await once(child.stdout, 'readable');
  const error = await bench.refusal(url);
  assert.deepEqual([error.code, error.exit], ['STORE_LOCKED', 1]);
  assert.match(error.message, /pid \d+ of the server, "limpet cloud [0-9a-f]{8}"/);
  await bench.open();
  child.kill('SIGKILL');
  await once(child, 'exit');
  await bench.open(url);
});

test('tables of a newer program, or of another one, are refused and left as they are', async () => {
  const newer = bench.fresh();
  await (await bench.open(newer.url)).close();
  bench.server.sql(`UPDATE "${newer.schema}".limpet_store SET version = 99`);
  const error = await bench.refusal(newer.url);
  assert.deepEqual([error.code, error.exit], ['STORE_NEWER', 78]);
  assert.match(error.message, /schema 99/);
  const { url, schema } = bench.fresh();
  bench.server.sql(`CREATE SCHEMA "${schema}"; CREATE TABLE "${schema}".theirs (a int)`);
  assert.equal((await bench.refusal(url)).code, 'STORE_NOT_OURS');
  const tables = `SELECT count(*) FROM pg_tables WHERE schemaname = '${schema}'`;
  assert.equal(bench.server.sql(tables), '1');
});

test('an older schema is brought to the present one, or left as it was when that fails', async () => {
  const { url } = bench.fresh();
  const engine = await bench.open(url);
  await store(engine, thing('old'));
  await engine.close();
  const broken = new Map([[1, 'ALTER TABLE things ADD COLUMN more TEXT; SELECT 1 / 0']]);
  await assert.rejects(
    bench.open(url, { tables: { version: 2, create: '', upgrades: broken } }),
    /division/,
  );
  const upgrades = new Map([[1, 'ALTER TABLE things ADD COLUMN more TEXT']]);
  const newer = await bench.open(url, { tables: { version: 2, create: '', upgrades } });
  assert.deepEqual(await newer.read((sql) => sql.all('SELECT id, more FROM things')), [
    { id: 'old', more: null },
  ]);
  await newer.close();
  await newer.close();
  assert.equal((await bench.refusal(url)).code, 'STORE_NEWER');
});

test('what keeps it from starting is told with what to do', async () => {
  bench.server.sql(
    `CREATE ROLE guest LOGIN; CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0`,
  );
  bench.server.sql(
    `CREATE DATABASE standby; ALTER DATABASE standby SET default_transaction_read_only TO on`,
  );
  const elsewhere = (from: string, to: string): string => bench.server.url().replace(from, to);
  const cases: readonly (readonly [string, string, 1 | 78, RegExp])[] = [
    [elsewhere('/postgres?', '/nowhere?'), 'STORE_MISSING', 78, /CREATE DATABASE/],
    [elsewhere('limpet@', 'nobody@'), 'STORE_DENIED', 78, /role "nobody" does not exist/],
    [elsewhere('limpet@', 'guest@'), 'STORE_DENIED', 78, /permission denied.*GRANT/],
    [bench.server.url('ascii'), 'STORE_NOT_OURS', 78, /SQL_ASCII/],
    [bench.server.url('standby'), 'STORE_READ_ONLY', 1, /primary/],
    ['postgres://limpet@/x?host=/no/such/folder', 'STORE_AWAY', 1, /ENOENT/],
    ['postgres://limpet@127.0.0.1:1/x', 'STORE_AWAY', 1, /ECONNREFUSED/],
  ];
  for (const [url, code, exit, message] of cases) {
    const error = await bench.refusal(url);
    assert.deepEqual([error.code, error.exit], [code, exit], error.message);
    assert.match(error.message, message);
  }
});

test('a disk that is said to be safe and is not is warned of, and commits are waited for whatever the default', async () => {
  const engine = await bench.open();
  assert.match(bench.said.join('\n'), /store is not safe.*fsync=off/);
  bench.server.sql(`ALTER SYSTEM SET synchronous_commit TO off; SELECT pg_reload_conf()`);
  const other = await bench.open();
  const [row] = await other.writer.all(`SELECT current_setting('synchronous_commit') AS is`);
  assert.deepEqual(row, { is: 'on' });
  bench.server.sql(`ALTER SYSTEM RESET synchronous_commit; SELECT pg_reload_conf()`);
  await Promise.all([engine.close(), other.close()]);
});
