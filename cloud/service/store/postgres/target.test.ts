import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { StoreUnusable } from '../errors.ts';
import { parseTarget } from './target.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'limpet-target-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
function file(text: string, mode = 0o600): string {
  const name = path.join(folder, `${(files += 1)}`);
  writeFileSync(name, text, { mode });
  return name;
}

const NO_PASSFILE = { PGPASSFILE: path.join(folder, 'none') };
const target = (url: string, env: NodeJS.ProcessEnv = {}, passwordFile?: string) =>
  parseTarget(url, { env: { ...NO_PASSFILE, ...env }, passwordFile });

function refusal(url: string, passwordFile?: string): string {
  try {
    target(url, {}, passwordFile);
  } catch (error) {
    assert.ok(error instanceof StoreUnusable, String(error));
    assert.deepEqual([error.code, error.exit], ['STORE_URL', 78]);
    return error.message;
  }
  throw new Error(`${url} was taken`);
}

const READ: readonly (readonly [string, Partial<ReturnType<typeof target>>])[] = [
  [
    'postgres://ann:s%40crt@db.example.com:6000/fleet?schema=hall',
    {
      host: 'db.example.com',
      port: 6000,
      user: 'ann',
      password: 's@crt',
      database: 'fleet',
      schema: 'hall',
    },
  ],
  ['postgresql://ann@[::1]/fleet', { host: '::1', port: 5432, tls: undefined, schema: 'limpet' }],
  ['postgres:///fleet', { host: '/var/run/postgresql', database: 'fleet' }],
  ['postgres://ann@/fleet?host=/tmp/x&port=6000', { host: '/tmp/x', port: 6000, user: 'ann' }],
  ['postgres://ann:x@/fleet', { host: '/var/run/postgresql', user: 'ann', password: 'x' }],
  ['postgres://ann@%2Ftmp%2Fx/fleet', { host: '/tmp/x' }],
  ['postgres://ann@localhost', { database: 'ann', tls: undefined }],
];

for (const [url, expected] of READ) {
  test(`${url} is read as psql reads it`, () => {
    const found = target(url);
    for (const [name, value] of Object.entries(expected)) {
      assert.deepEqual(found[name as keyof typeof found], value, name);
    }
  });
}

test('what the URL leaves open comes from the variables that psql knows', () => {
  const env = {
    PGHOST: '10.0.0.9',
    PGPORT: '7000',
    PGUSER: 'ann',
    PGDATABASE: 'fleet',
    PGPASSWORD: 'pw',
  };
  const { host, port, user, database, password } = target('postgres://', env);
  assert.deepEqual(
    [host, port, user, database, password],
    ['10.0.0.9', 7000, 'ann', 'fleet', 'pw'],
  );
});

const REFUSED: readonly (readonly [string, RegExp])[] = [
  ['mysql://ann@db/fleet', /begins with "mysql:"/],
  ['postgres://ann@a,b/fleet', /one host only/],
  ['postgres://ann@db/fleet?sslmode=prefer', /sslmode must be/],
  ['postgres://ann@db/fleet?sslmod=disable', /no parameter "sslmod"/],
  ['postgres://ann@db/fleet?password=top-secret', /--store-password-file/],
  ['postgres://ann@db/fleet?schema=a&schema=b', /twice/],
  ['postgres://ann@db:99999/fleet', /read as a URL|port/],
  ['postgres://ann@db/fleet?port=0', /port "0"/],
  ['postgres://ann:top-secret%@db/fleet', /%25/],
  ['postgres://ann:top-secret@db:x/fleet', /read as a URL/],
  ['postgres://ann@/fleet?host=/tmp&sslmode=require', /Unix socket/],
  ['postgres://ann@db/fleet?sslrootcert=/no/such/file', /sslrootcert: cannot read/],
  ['postgres://ann@db/fleet?sslcert=/dev/null', /both sslcert and sslkey/],
  [`postgres://ann@db/${'x'.repeat(64)}`, /database/],
];

for (const [url, message] of REFUSED) {
  test(`${url.slice(0, 60)} is refused and says why`, () => {
    const said = refusal(url);
    assert.match(said, message);
    assert.doesNotMatch(said, /top-secret/);
  });
}

test('beyond this machine the certificate is checked, and less than that is told', () => {
  const tls = (mode: string) => target(`postgres://ann@db/fleet${mode}`);
  assert.deepEqual([tls('').tls?.rejectUnauthorized, tls('').warnings], [true, []]);
  assert.equal(tls('?sslmode=verify-ca').tls?.rejectUnauthorized, true);
  assert.equal(tls('?sslmode=require').tls?.rejectUnauthorized, false);
  assert.match(tls('?sslmode=require').warnings[0] ?? '', /nobody checks/);
  assert.equal(tls('?sslmode=disable').tls, undefined);
  assert.match(tls('?sslmode=disable').warnings[0] ?? '', /readable/);
});

test('neither messages nor logs get the password', () => {
  const { shown } = target('postgres://ann:top-secret@db:6000/fleet?schema=hall');
  assert.equal(shown, 'postgres://ann@db:6000/fleet?schema=hall');
  assert.equal(
    target('postgres://ann:top-secret@/fleet?host=/tmp').shown,
    'postgres://ann@/fleet?host=/tmp',
  );
});

test('a password file goes before PGPASSWORD, and not together with one in the URL', () => {
  const held = file('from-file\n');
  assert.equal(
    target('postgres://ann@db/fleet', { PGPASSWORD: 'env' }, held).password,
    'from-file',
  );
  assert.match(refusal('postgres://ann:x@db/fleet', held), /not in both/);
  assert.match(refusal('postgres://ann@db/fleet', file('two\nlines\n')), /one line/);
  assert.match(refusal('postgres://ann@db/fleet', file('')), /one line/);
  assert.match(refusal('postgres://ann@db/fleet', path.join(folder, 'gone')), /cannot read/);
  assert.match(
    target('postgres://ann@db/fleet', {}, file('x', 0o644)).warnings[0] ?? '',
    /chmod 600/,
  );
});

test('.pgpass counts as for psql: the first line that fits, escapes, * for any, not when others can read it', () => {
  const lines = String.raw`# comment
db:5432:other:ann:no
db:*:fleet:ann:a\:b\\c
*:*:*:*:any`;
  const env = (mode?: number) => ({ PGPASSFILE: file(lines, mode) });
  assert.equal(target('postgres://ann@db/fleet', env()).password, String.raw`a:b\c`);
  assert.equal(target('postgres://bob@db/fleet', env()).password, 'any');
  const open = target('postgres://ann@db/fleet', env(0o644));
  assert.equal(open.password, undefined);
  assert.match(open.warnings[0] ?? '', /chmod 600/);
  const local = { PGPASSFILE: file('localhost:*:*:*:here') };
  assert.equal(target('postgres://ann@/fleet', local).password, 'here');
});
