import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MapperFacts, Node, NodeBudget } from '@limpet/dmi/manifest';
import { afterword, budgetTable, heading } from '../budget/show.ts';
import { linesOf, mapperTable } from './mappers.ts';
import { layOut } from './table.ts';
import { sizeText } from './words.ts';

const MI = 2 ** 20;
const NOW = Date.UTC(2026, 10, 21, 12);

const BUDGET: NodeBudget = {
  ceiling: 106 * MI,
  rows: [
    {
      kind: 'memory',
      what: 'core',
      budget: 48 * MI,
      now: 12.4 * MI,
      peak: 15.1 * MI,
      over: 0,
      private: 12.5 * MI,
      pss: 30 * MI,
      rss: 46.2 * MI,
    },
    {
      kind: 'memory',
      what: 'mapper modbus',
      budget: 14 * MI,
      now: 14.2 * MI,
      peak: 14.2 * MI,
      over: 2,
      private: 14.1 * MI,
      pss: 28.3 * MI,
      rss: 44 * MI,
    },
    {
      kind: 'memory',
      what: 'samples waiting',
      partOf: 'core',
      budget: MI,
      now: 0.5 * MI,
      peak: 0.6 * MI,
      over: 1,
    },
    {
      kind: 'disk',
      what: 'written',
      note: 'a day',
      budget: 200 * MI,
      now: 3 * MI,
      peak: 3 * MI,
      over: 0,
    },
  ],
  shed: [
    { step: 'caches', times: 2, last: '2026-11-21T11:59:00.000Z' },
    { step: 'samples', times: 0 },
    { step: 'mapper', times: 0 },
  ],
  enforced: { by: 'watchdog', note: 'this system shows no memory cgroup' },
  lookMicroseconds: 14,
};

const node = (state: 'online' | 'offline'): Node => ({
  apiVersion: 'limpet.dev/v1',
  kind: 'Node',
  metadata: { name: 'gateway-1' },
  spec: {},
  status: { state, lastSeen: '2026-11-21T11:50:00.000Z' },
});

test('the budget table shows what is given out, taken, and gone beyond, within 100 characters', () => {
  const lines = [
    ...heading(node('online'), BUDGET, NOW),
    ...layOut(budgetTable(BUDGET), { colour: false }),
    ...afterword(BUDGET, NOW),
  ];
  assert.deepEqual(lines, [
    'gateway-1: 62.0 MiB of 106.0 MiB memory given out',
    'WHAT                 BUDGET         NOW        PEAK   OVER    PRIVATE        PSS        RSS',
    'core               48.0 MiB    12.4 MiB    15.1 MiB      0   12.5 MiB   30.0 MiB   46.2 MiB',
    'mapper modbus      14.0 MiB    14.2 MiB    14.2 MiB      2   14.1 MiB   28.3 MiB   44.0 MiB',
    'sum                62.0 MiB    26.6 MiB           -      2   26.6 MiB   58.3 MiB          -',
    'samples waiting     1.0 MiB   512.0 KiB   614.4 KiB      1          -          -          -',
    'written           200.0 MiB     3.0 MiB     3.0 MiB      0          -          -          -',
    '',
    'Of these:    samples waiting: part of core',
    '             written: a day',
    'Given up:    caches 2x, last 60s ago; samples never; mapper never',
    'Enforced by: watchdog on private memory, no cgroups: this system shows no memory cgroup',
    'Measured:    each second, 14 µs of CPU a look',
  ]);
  assert.match(heading(node('offline'), BUDGET, NOW)[0] ?? '', /\(offline, as of 10m ago\)$/);
});

const SICK: MapperFacts = {
  protocol: 'acme',
  version: '2.1.0',
  hosting: 'process',
  state: 'crash-loop',
  reason: { code: 'MAPPER_MEMORY', message: 'the kernel ended it\u001b[2J at 32Mi' },
  restarts: 7,
  since: '2026-11-21T11:59:30.000Z',
  memory: 0,
  peak: 31 * MI,
  budget: 24 * MI,
  importance: 10,
  superseded: 1234,
  lines: ['opening\u0007 the valve', 'out of memory'],
};
const WELL: MapperFacts = {
  protocol: 'modbus',
  version: '0.1.0',
  hosting: 'inline',
  state: 'ready',
  restarts: 0,
  since: '2026-11-21T10:00:00.000Z',
};

test('mappers are shown with state, memory and reason; those not well with their last lines', () => {
  const shown = [SICK, WELL].map((mapper) => ({ node: 'gateway-1', online: true, mapper }));
  assert.deepEqual(layOut(mapperTable(shown, { wide: false, now: NOW }), { colour: false }), [
    'PROTOCOL   VERSION   HOSTING   STATE        SINCE   RESTARTS   MEMORY            REASON',
    'acme       2.1.0     process   crash-loop   30s     7          0 B of 24.0 MiB   MAPPER_MEMORY',
    "modbus     0.1.0     inline    ready        2h      0          the core's",
  ]);
  assert.deepEqual(linesOf(shown), [
    '',
    'acme on gateway-1: the kernel ended it·[2J at 32Mi',
    '  | opening· the valve',
    '  | out of memory',
  ]);
  const [head, row] = layOut(mapperTable(shown, { wide: true, now: NOW }), { colour: false });
  assert.match(head ?? '', /PEAK +IMPORTANCE +SUPERSEDED +REASON$/);
  assert.match(row ?? '', /31\.0 MiB +10 +1234 +MAPPER_MEMORY$/);
});

test('of several nodes each mapper has its own; what an offline node said is marked as old', () => {
  const shown = ['a', 'b'].map((name) => ({ node: name, online: name === 'a', mapper: WELL }));
  const lines = layOut(mapperTable(shown, { wide: false, now: NOW }), { colour: false });
  assert.match(lines[0] ?? '', /^NODE +PROTOCOL/);
  assert.match(lines[2] ?? '', /^b +modbus .* ready\? /);
});

test('mappers that nobody uses stand below those that somebody does', () => {
  const shown = (['idle', 'ready', 'idle', 'shed'] as const).map((state, index) => {
    const mapper: MapperFacts = {
      protocol: `p${index}`,
      version: '1.0.0',
      hosting: 'process',
      state,
    };
    return { node: 'a', online: true, mapper };
  });
  const { rows } = mapperTable(shown, { wide: false, now: NOW });
  assert.deepEqual(
    rows.map(([protocol]) => protocol?.text),
    ['p1', 'p3', 'p0', 'p2'],
  );
});

test('sizes are written as people compare them', () => {
  const cases = [
    [undefined, '-'],
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [MI - 1, '1.0 MiB'],
    [12.34 * MI, '12.3 MiB'],
    [1536 * MI, '1.5 GiB'],
    [2 ** 52, '4096.0 TiB'],
  ] as const;
  for (const [bytes, text] of cases) assert.equal(sizeText(bytes), text);
});
