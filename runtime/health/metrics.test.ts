import type { NodeFacts } from '@limpet/dmi/manifest';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { metricsText } from './metrics.ts';

const FACTS: NodeFacts = {
  architecture: 'arm64',
  board: 'b',
  os: 'o',
  versions: { limpet: '0.1.0', node: '24.21.0' },
  mappers: [
    { protocol: 'modbus', version: '1', state: 'ready', restarts: 3, superseded: 12 },
    { protocol: 'odd"\\\nname', version: '1', state: 'shed', restarts: 0 },
  ],
  budget: {
    ceiling: 100e6,
    rows: [
      {
        kind: 'memory',
        what: 'core',
        budget: 48e6,
        now: 12e6,
        peak: 15e6,
        over: 1,
        pss: 30e6,
        rss: 46e6,
      },
      {
        kind: 'memory',
        what: 'samples waiting',
        partOf: 'core',
        budget: 1e6,
        now: 1e5,
        peak: 1e5,
        over: 0,
      },
      { kind: 'disk', what: 'writes', budget: 2e9, now: 3e6, peak: 4e6, over: 0 },
      { kind: 'disk', what: 'samples', budget: 64e6, now: 1e6, peak: 1e6, over: 0 },
    ],
    shed: [{ step: 'caches', times: 2 }],
    enforced: { by: 'watchdog' },
    lookMicroseconds: 1,
  },
  addresses: [],
  uptime: 7,
  memory: { total: 2e9, available: 1e9, private: 1, rss: 2 },
};
const COUNTED = {
  devices: { online: 2, offline: 1 },
  readings: 120,
  missedCycles: 4,
  superseded: 6,
  lagMs: 12.5,
  store: { commits: 9 },
  bus: { clients: 3, BUS_SLOW_CLIENT: 1 },
  api: { refused: 0 },
};

/** The text format 0.0.4, strictly: each metric once, HELP and TYPE before its samples, every sample well formed. */
function parse(text: string): Map<string, { type: string; samples: Map<string, number> }> {
  const families = new Map<string, { type: string; samples: Map<string, number> }>();
  let helped = '';
  let current = '';
  assert.ok(text.endsWith('\n'));
  for (const line of text.slice(0, -1).split('\n')) {
    const help = /^# HELP ([a-z_]+) \S.*$/.exec(line);
    const type = /^# TYPE ([a-z_]+) (gauge|counter)$/.exec(line);
    const sample =
      /^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)+\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/.exec(
        line,
      );
    if (help !== null) helped = help[1] ?? '';
    else if (type !== null) {
      current = type[1] ?? '';
      assert.equal(current, helped, 'HELP stands before TYPE');
      assert.ok(!families.has(current), `${current} twice`);
      families.set(current, { type: type[2] ?? '', samples: new Map() });
    } else {
      assert.ok(sample !== null, `not a sample: ${line}`);
      assert.equal(sample[1], current);
      const { samples } = families.get(current) as { samples: Map<string, number> };
      assert.ok(!samples.has(sample[2] ?? ''), `${line} twice`);
      samples.set(sample[2] ?? '', Number(sample[3]));
    }
  }
  return families;
}

test('the metrics are what Prometheus reads, with names of ours, counters ending in total', () => {
  const families = parse(metricsText(FACTS, COUNTED));
  assert.ok(families.size > 15);
  for (const [name, { type, samples }] of families) {
    assert.match(name, /^limpet_/);
    assert.equal(type === 'counter', name.endsWith('_total'), name);
    assert.ok(samples.size > 0);
  }
  const value = (name: string, labels: string) => families.get(name)?.samples.get(labels);
  assert.equal(value('limpet_memory_private_bytes', '{what="core"}'), 12e6);
  assert.equal(value('limpet_over_budget_total', '{what="core"}'), 1);
  assert.equal(
    value('limpet_memory_private_bytes', '{what="samples waiting",part_of="core"}'),
    1e5,
    'a sum over what has no part_of counts nothing twice',
  );
  assert.equal(value('limpet_disk_bytes', '{what="samples"}'), 1e6);
  assert.equal(value('limpet_disk_bytes', '{what="writes"}'), undefined, 'no size, but a flow');
  assert.equal(value('limpet_disk_written_today_bytes', ''), 3e6);
  assert.equal(value('limpet_shed_total', '{step="caches"}'), 2);
  assert.equal(value('limpet_bus', '{what="BUS_SLOW_CLIENT"}'), 1);
  assert.equal(value('limpet_readings_total', ''), 120);
  assert.equal(value('limpet_missed_cycles_total', ''), 4);
  assert.equal(value('limpet_told_superseded_total', ''), 6);
  assert.equal(value('limpet_event_loop_late_seconds', ''), 0.0125);
});

test('a label may hold anything', () => {
  const families = parse(metricsText(FACTS, COUNTED));
  const states = families.get('limpet_mapper_state')?.samples;
  assert.equal(states?.get(String.raw`{protocol="odd\"\\\nname",state="shed"}`), 1);
});
