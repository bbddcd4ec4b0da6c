import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { Misconfigured } from '@limpet/dmi';
import { fakeClock, recordingLog } from '@limpet/dmi/testing';
import { AccessLog } from './access-log.ts';

const ACCESS = { atMs: 0, method: 'GET', path: '/version', code: 200, ms: 3, bytes: 120 };

function logTo(t: TestContext, name = 'access.log', fileBytes = 1_000_000) {
  const folder = mkdtempSync(path.join(tmpdir(), 'limpet-access-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [clock, log] = [fakeClock(), recordingLog()];
  const to = path.join(folder, name);
  return { folder, to, clock, log, access: () => AccessLog.open({ to, clock, log, fileBytes }) };
}

test('each request is a line of JSON in a file that others cannot read', async (t) => {
  const { to, clock, access } = logTo(t);
  const log = access();
  log.note(ACCESS);
  log.note({ ...ACCESS, from: '127.0.0.1' });
  await clock.advance(500);
  const lines = readFileSync(to, 'utf8').trim().split('\n');
  assert.equal(lines.length, 2);
  const { atMs: _, ...rest } = ACCESS;
  assert.deepEqual(JSON.parse(lines[0] ?? ''), { time: '1970-01-01T00:00:00.000Z', ...rest });
  assert.equal(statSync(to).mode & 0o777, 0o600);
});

test('a full file is renamed, and three old ones are kept', async (t) => {
  const { folder, clock, access } = logTo(t, 'a', 250);
  const log = access();
  for (let round = 0; round < 20; round++) {
    log.note({ ...ACCESS, ms: round });
    await clock.advance(500);
  }
  assert.deepEqual(readdirSync(folder).toSorted(), ['a', 'a.1', 'a.2', 'a.3']);
  for (const name of readdirSync(folder)) {
    assert.ok(statSync(path.join(folder, name)).size <= 250, name);
  }
  assert.match(readFileSync(path.join(folder, 'a'), 'utf8'), /"ms":19/);
});

test('what cannot be written is told once, counted, and told again when it can', async (t) => {
  const { folder, to, clock, log, access } = logTo(t);
  const noted = access();
  rmSync(folder, { recursive: true });
  for (let round = 0; round < 3; round++) {
    noted.note(ACCESS);
    await clock.advance(500);
  }
  assert.equal(log.lines.filter(({ level }) => level === 'warn').length, 1);
  assert.throws(
    () => AccessLog.open({ to, clock, log }),
    (error) => error instanceof Misconfigured && error.code === 'CLOUD_FILE',
  );
});
