import { fakeClock, recordingLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kibibytes, nodeFacts, prettyName } from './facts.ts';
import { LagWatch } from './lag.ts';

test('a node tells its metadata', () => {
  const mappers = [{ protocol: 'modbus', version: '0.1.0' }];
  const facts = nodeFacts({ version: '0.1.0', mappers });
  assert.equal(facts.architecture, process.arch);
  assert.equal(facts.versions.node, process.versions.node);
  assert.deepEqual(facts.mappers, mappers);
  assert.ok(facts.board.length > 0 && facts.os.length > 0);
  const { total, available, rss } = facts.memory;
  assert.ok(total > available && available > 0);
  assert.ok(rss > facts.memory.private);
  assert.ok(!facts.addresses.includes('127.0.0.1'));
});

test('the files of the kernel and the distribution are read as they are written', () => {
  assert.equal(kibibytes('VmRSS:\t   51200 kB\nRssAnon:\t   10240 kB\n', 'RssAnon'), 10_485_760);
  assert.equal(kibibytes('VmRSS:\t   51200 kB\n', 'RssAnon'), undefined);
  assert.equal(prettyName('ID=debian\nPRETTY_NAME="Debian GNU/Linux 12"\n'), 'Debian GNU/Linux 12');
  assert.equal(prettyName('PRETTY_NAME=Buildroot\n'), 'Buildroot');
});

test('an overloaded event loop is told once, and its end once', () => {
  const log = recordingLog();
  const { clock, run } = lateClock();
  const watch = new LagWatch(clock, log);
  watch.start();
  for (const lateMs of [0, 500, 500, 500, 900, 500, 10, 10]) run(lateMs);
  watch.stop();
  assert.deepEqual(
    log.lines.map(({ level }) => level),
    ['warn', 'info'],
  );
  assert.equal(watch.lagMs, 10);
});

/** A clock whose timers are run late by as much as the test says. */
function lateClock() {
  let now = 0;
  let timer: { at: number; task: () => void } | undefined;
  const clock = {
    ...fakeClock(),
    monotonic: () => now,
    after: (ms: number, task: () => void) => {
      timer = { at: now + ms, task };
      return () => undefined;
    },
  };
  const run = (lateMs: number): void => {
    now = (timer?.at ?? now) + lateMs;
    timer?.task();
  };
  return { clock, run };
}
