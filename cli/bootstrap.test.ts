import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { engineFits, installFault } from './bootstrap.mjs';

const RANGE = '^22.19.0 || ^24.11.0 || >=26.8.0';

test('the engines range is understood as npm understands it', () => {
  const cases: readonly [string, boolean][] = [
    ['14.21.3', false],
    ['20.20.2', false],
    ['22.18.9', false],
    ['22.19.0', true],
    ['23.11.0', false],
    ['24.10.9', false],
    ['24.11.0', true],
    ['25.9.0', false],
    ['26.7.1', false],
    ['26.8.0', true],
    ['31.0.0', true],
  ];
  for (const [version, fits] of cases) assert.equal(engineFits(version, RANGE), fits, version);
});

const LOCKED = {
  '': { name: 'root' },
  'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
  'node_modules/here': {
    version: '1.0.0',
    optional: true,
    os: [process.platform],
    cpu: [process.arch],
  },
  'node_modules/elsewhere': { version: '1.0.0', optional: true, os: ['plan9'], cpu: ['vax'] },
  'node_modules/for-elsewhere': { version: '1.0.0', optional: true },
};
const { 'node_modules/a': a, 'node_modules/here': here } = LOCKED;
const FITTING = { 'node_modules/a': a, 'node_modules/here': here };

test('an installation that fits its lock file has no fault, though packages for other machines are absent', (t) => {
  assert.equal(installFault(installation(t, FITTING)), undefined);
});

test('no installation at all is said as such', (t) => {
  const folder = installation(t, FITTING);
  rmSync(path.join(folder, 'node_modules'), { recursive: true });
  assert.match(installFault(folder) ?? '', /nothing is installed/);
});

test('a missing, a changed and a left-over nested package are each noticed', (t) => {
  const cases: readonly [object, RegExp][] = [
    [{ 'node_modules/a': a }, /here is missing/],
    [
      { ...FITTING, 'node_modules/a': { ...a, version: '0.9.0' } },
      /a is 0\.9\.0, the lock file says 1\.0\.0/,
    ],
    [{ ...FITTING, 'node_modules/a': { ...a, integrity: 'sha512-b' } }, /a is 1\.0\.0/],
    [{ ...FITTING, 'node_modules/a/node_modules/b': { version: '1.0.0' } }, /left over/],
  ];
  for (const [present, fault] of cases)
    assert.match(installFault(installation(t, present)) ?? '', fault);
});

test('a package whose folder was removed by hand is noticed', (t) => {
  const folder = installation(t, FITTING);
  rmSync(path.join(folder, 'node_modules/a'), { recursive: true });
  assert.match(installFault(folder) ?? '', /a is missing/);
});

/** A project of which `present` is installed. */
function installation(t: TestContext, present: object): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'limpet-install-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const key of Object.keys(present)) mkdirSync(path.join(folder, key), { recursive: true });
  writeFileSync(path.join(folder, 'package-lock.json'), JSON.stringify({ packages: LOCKED }));
  const file = path.join(folder, 'node_modules/.package-lock.json');
  writeFileSync(file, JSON.stringify({ packages: present }));
  return folder;
}
