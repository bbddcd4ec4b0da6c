import { fakeClock, recordingLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdir, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { measure, ScratchWatch } from './scratch.ts';

function scratch(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'limpet-scratch-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('what lies in deeper folders counts, and what a link leads to does not', async (t) => {
  const folder = scratch(t);
  mkdirSync(path.join(folder, 'a/b'), { recursive: true });
  writeFileSync(path.join(folder, 'a/b/file'), Buffer.alloc(100_000));
  symlinkSync('/usr', path.join(folder, 'link'));
  const { bytes, files } = await measure(folder);
  assert.equal(files, 4);
  assert.ok(bytes >= 100_000 && bytes < 120_000, String(bytes));
});

test('a folder above its ceiling is told while it is, and once when it is below again', async (t) => {
  const folder = scratch(t);
  const clock = fakeClock();
  const told: string[] = [];
  const watch = new ScratchWatch({
    folder,
    ceilingBytes: () => 50_000,
    clock,
    log: recordingLog(),
    over: ({ code, message }) => told.push(`${code} ${message}`),
    within: () => told.push('within'),
  });
  t.after(() => watch.stop());
  watch.start();
  /** Each look reads the real disk. */
  const look = async (): Promise<void> => {
    await clock.advance(10_000);
    while (clock.pending === 0) await sleep(5);
  };
  await look();
  assert.deepEqual(told, []);
  writeFileSync(path.join(folder, 'file'), Buffer.alloc(100_000));
  await look();
  await look();
  assert.equal(told.length, 2);
  assert.match(told[0] ?? '', /^MAPPER_DISK .*"disk" allows 50k: remove|raise "disk"/);
  rmSync(path.join(folder, 'file'));
  await look();
  await look();
  assert.deepEqual(told.slice(2), ['within']);
});

test('folders that come and go while it is measured hide nothing', async (t) => {
  const folder = scratch(t);
  writeFileSync(path.join(folder, 'file'), Buffer.alloc(100_000));
  let busy = true;
  const moved = (async () => {
    const names = Array.from({ length: 20 }, (_, n) => path.join(folder, String(n)));
    while (busy) {
      await Promise.all(names.map((name) => mkdir(name)));
      await Promise.all(names.map((name) => rmdir(name)));
    }
  })();
  const measured = [];
  for (let n = 0; n < 200; n++) measured.push(measure(folder).catch((error: Error) => error));
  const all = await Promise.all(measured);
  busy = false;
  await moved;
  for (const each of all) assert.ok('bytes' in each && each.bytes >= 100_000, JSON.stringify(each));
});

test('more files than can be looked at are too many', async (t) => {
  const folder = scratch(t);
  const clock = fakeClock();
  for (let n = 0; n <= 2_000; n++) writeFileSync(path.join(folder, String(n)), '');
  const over = Promise.withResolvers<string>();
  const watch = new ScratchWatch({
    folder,
    ceilingBytes: () => 1e9,
    clock,
    log: recordingLog(),
    over: ({ message }) => over.resolve(message),
    within: () => undefined,
  });
  t.after(() => watch.stop());
  watch.start();
  await clock.advance(10_000);
  assert.match(await over.promise, /more than 2000 files/);
});
