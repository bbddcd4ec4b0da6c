/** Passwords and certificates of a real PostgreSQL, as its users know them from psql. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { StoreUnusable } from '#cloud/service/store/errors.ts';
import { parseTarget } from '#cloud/service/store/postgres/target.ts';
import { Authority } from '../rig/authority.ts';
import { freePort } from '../rig/free-port.ts';
import { until } from '../rig/until.ts';
import { Bench, ids } from './postgres-things.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'limpet-access-'));
const authority = new Authority(folder, 'authority');
let bench: Bench;
let port: number;
before(async () => {
  port = await freePort();
  const tls = authority.issue('server', 'IP:127.0.0.1', 2);
  bench = await Bench.start({ port, tls });
  bench.server.sql(`CREATE ROLE ann LOGIN PASSWORD 's3cret'; CREATE DATABASE fleet OWNER ann`);
});
afterEach(() => bench.clear());
after(async () => {
  await bench.stop();
  rmSync(folder, { recursive: true, force: true });
});

const at = (host: string, more = ''): string => `postgres://ann@${host}:${port}/fleet${more}`;
const target = (url: string, env: NodeJS.ProcessEnv, passwordFile?: string) =>
  parseTarget(url, { env: { PGPASSFILE: path.join(folder, 'none'), ...env }, passwordFile });
const right = { PGPASSWORD: 's3cret' };

test('a password from the environment, a file or ~/.pgpass lets the service in', async () => {
  const file = path.join(folder, 'password');
  writeFileSync(file, 's3cret\n', { mode: 0o600 });
  const passFile = path.join(folder, 'pgpass');
  writeFileSync(passFile, `127.0.0.1:${port}:*:ann:s3cret\n`, { mode: 0o600 });
  const url = at('127.0.0.1');
  for (const found of [
    target(url, right),
    target(url, {}, file),
    target(url, { PGPASSFILE: passFile }),
  ]) {
    const engine = await bench.open(url, { target: found });
    assert.deepEqual(await ids(engine), []);
    await bench.clear();
  }
});

test('none or a wrong one is told apart, and never shown', async () => {
  const none = await bench.refusal(at('127.0.0.1'), { target: target(at('127.0.0.1'), {}) });
  assert.deepEqual([none.code, none.exit], ['STORE_DENIED', 78]);
  assert.match(none.message, /wants a password.*--store-password-file/);
  const url = `postgres://ann:wr0ng@127.0.0.1:${port}/fleet`;
  const wrong = await bench.refusal(url, { target: target(url, {}) });
  assert.deepEqual([wrong.code, wrong.exit], ['STORE_DENIED', 78]);
  assert.match(wrong.message, /password authentication failed/);
  assert.doesNotMatch(
    JSON.stringify([wrong.message, wrong.stack, wrong.cause, bench.said]),
    /wr0ng/,
  );
});

test('only a server whose certificate is trusted and names it is used, unless asked otherwise', async () => {
  const ca = `&sslrootcert=${authority.cert}`;
  const open = (url: string) => bench.open(url, { target: target(url, right) });
  for (const url of [
    at('127.0.0.1', `?sslmode=verify-full${ca}`),
    at('127.0.0.1', '?sslmode=require'),
    at('localhost', `?sslmode=verify-ca${ca}`),
  ]) {
    const engine = await open(url);
    const [row] = await engine.writer.all(
      'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
    );
    assert.deepEqual(row, { ssl: 1 }, url);
    await bench.clear();
  }
  for (const url of [
    at('127.0.0.1', '?sslmode=verify-full'),
    at('localhost', `?sslmode=verify-full${ca}`),
  ]) {
    const error = await bench.refusal(url, { target: target(url, right) });
    assert.deepEqual([error.code, error.exit], ['STORE_TLS', 78], error.message);
    assert.match(error.message, /sslrootcert/);
  }
});

test('a server without TLS gets no password', async () => {
  const url = `postgres://ann@127.0.0.1:${port}/fleet?sslmode=require`;
  bench.server.sql('ALTER SYSTEM SET ssl TO off; SELECT pg_reload_conf()');
  // The server takes the new setting in its own time.
  await until(async () => {
    const code = await bench.open(url, { target: target(url, right) }).then(
      () => 'it opened',
      (error: unknown) => (error instanceof StoreUnusable ? error.code : String(error)),
    );
    await bench.clear();
    return code === 'STORE_TLS' ? undefined : code;
  });
});
