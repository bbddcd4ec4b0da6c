import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bars } from './bars.ts';
import { judge } from './goals.ts';
import type { Metrics } from './measure.ts';
import { type ConfigurationResult, medians, type Result } from './result.ts';
import type { Key } from './subject.ts';
import { table } from './table.ts';

const run: Metrics = {
  private: 15e6,
  pss: 40e6,
  rss: 29e6,
  privateCore: 15e6,
  privateOthers: 0,
  privateMost: 16e6,
  rssPeak: 45e6,
  oomKills: 0,
  majorFaultsPerS: 0.1,
  cpuPercent: 8,
  publishP50: 1,
  publishP99: 10,
  pollsPercent: 100,
  heardPercent: 100,
  wrong: 0,
};

function column(key: Key, runs: readonly Metrics[], more: object = {}): ConfigurationResult {
  const middle = medians(runs);
  return { key, title: key, startsMs: [500], runs, ...(middle && { medians: middle }), ...more };
}

function result(...configurations: readonly ConfigurationResult[]): Result {
  const machine = {
    kind: 'linux-x64',
    about: 'a <machine> & more',
    node: 'v24',
    measuredNode: 'v24',
    disk: 'a disk',
    cgroup: 'memory cgroup v1',
    at: '2026-11-21T00:00:00Z',
  };
  const timing = { warmUpS: 300, sampledS: 600, runs: 3 };
  return { complete: true, machine, workload: 'W', timing, configurations };
}

function met(found: Result, what: RegExp): boolean | undefined {
  const goal = judge(found).find((one) => what.test(one.what));
  assert.ok(goal, String(what));
  return goal.met;
}

test('a figure at its goal meets it, one above it does not', () => {
  assert.equal(met(result(column('unlimited', [{ ...run, private: 16e6 }])), /^W: private/), true);
  assert.equal(
    met(result(column('unlimited', [{ ...run, private: 16.1e6 }])), /^W: private/),
    false,
  );
});

test('the median of three runs counts, but one kill or one wrong value is never outvoted', () => {
  const runs = [run, { ...run, private: 90e6, oomKills: 1, wrong: 3 }, run];
  const found = result(column('unlimited', runs), column('limited', runs));
  assert.equal(met(found, /^W: private/), true);
  assert.equal(met(found, /OOM kills/), false);
  assert.equal(met(found, /did not have right/), false);
});

test('a configuration that does less than its work is told', () => {
  const idle = column('process', [{ ...run, heardPercent: 71 }]);
  assert.equal(met(result(column('unlimited', [run]), idle), /bus client heard/), false);
  const theirs = column('node-red', [{ ...run, heardPercent: 71 }]);
  assert.equal(met(result(column('unlimited', [run]), theirs), /bus client heard/), true);
});

test('publish times are compared within one run', () => {
  const slow = { ...run, publishP99: 100 };
  const free = column('unlimited', [run, slow, run]);
  const limited = column('limited', [{ ...run, publishP99: 19 }, { ...run, publishP99: 190 }, run]);
  assert.equal(met(result(free, limited), /publish p99/), true);
  const worse = column('limited', [{ ...run, publishP99: 21 }, { ...run, publishP99: 250 }, run]);
  assert.equal(met(result(free, worse), /publish p99/), false);
});

test('a configuration that broke misses its goals; one that this machine cannot have does not', () => {
  const broke = column('limited', [], { fault: 'edge ended (limit reached 9 times, OOM kills 2)' });
  assert.equal(met(result(broke), /major faults/), false);
  assert.equal(met(result(broke), /OOM kills/), false);
  const cannot = column('limited', [], { fault: 'no memory cgroup', impossible: true });
  assert.equal(met(result(cannot), /major faults/), undefined);
});

test('table and picture show what was measured, say what was not, and cut no text open', () => {
  const broke = column('process', [], { fault: 'it ended by itself' });
  const found = result(column('unlimited', [run]), broke);
  assert.match(table(found), /W: private memory \(RssAnon\) +15\.00 MB +<= 16 +met/);
  assert.match(table(found), /NOT MEASURED TO THE END: it ended by itself/);
  const picture = bars(found);
  assert.match(picture, />15\.0<[^]*>40\.0<[^]*>29\.0</);
  assert.match(picture, /a &lt;machine&gt; &amp; more/);
  assert.doesNotMatch(picture, /own process/);
});
