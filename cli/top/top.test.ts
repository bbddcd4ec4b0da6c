import type { NodeLoad } from '@limpet/dmi/manifest';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layOut } from '../render/table.ts';
import { awaitsRates, ratesOf } from './rates.ts';
import { mapperTable, nodeTable, portTable } from './show.ts';

const NOW = Date.parse('2026-11-22T10:00:00.000Z');
const LOAD: NodeLoad = {
  node: 'g1',
  at: '2026-11-22T10:00:00.000Z',
  runMs: 10_000,
  devices: { online: 2, offline: 1, connecting: 0, misconfigured: 0 },
  readings: 1_000,
  failed: 10,
  missedCycles: 0,
  rows: 4,
  link: { state: 'offline', since: '2026-11-22T09:59:00.000Z', code: 'ECONNREFUSED' },
  ports: [{ port: 'serial:bus', devices: 2, waiting: 1, busyMs: 5_000 }],
  memory: { now: 95 * 2 ** 20, ceiling: 96 * 2 ** 20 },
  mappers: [
    { protocol: 'modbus', state: 'crash-loop', restarts: 5 },
    { protocol: 'mqtt', state: 'idle', restarts: 0 },
  ],
  lagMs: 0,
  oldest: { device: 'default/slow', property: 'speed', ageMs: 9_000, everyMs: 1_000 },
};

test('rates are differences over the time of the edge; a new run has none yet', () => {
  const ports = [{ port: 'serial:bus', devices: 2, waiting: 0, busyMs: 6_900 }];
  const later = { ...LOAD, runMs: 12_000, readings: 1_300, failed: 13, ports };
  assert.deepEqual(ratesOf(LOAD, later), {
    readings: 150,
    errors: 1.5,
    missedCycles: 0,
    busy: { 'serial:bus': 0.95 },
  });
  assert.equal(ratesOf(undefined, later), undefined);
  assert.equal(ratesOf(later, { ...LOAD, runMs: 300, readings: 5 }), undefined);
});

test('a node with a load and no rates yet is worth a third look, one that is away is not', () => {
  const rates = { readings: 1, errors: 0, missedCycles: 0, busy: {} };
  const away = { node: 'g2', state: 'offline' } as const;
  const fresh = { node: 'g1', state: 'online', load: LOAD } as const;
  assert.equal(awaitsRates([fresh, away]), true);
  assert.equal(awaitsRates([{ ...fresh, rates }, away]), false);
});

test('one line a node says what is wrong; one that is away says since when', () => {
  const rates = { readings: 150, errors: 1.5, missedCycles: 0, busy: { 'serial:bus': 0.95 } };
  const one = { node: 'g1', state: 'online', load: LOAD, rates } as const;
  const away = { node: 'g2', state: 'offline', lastSeen: '2026-11-22T09:50:00.000Z' } as const;
  const lines = layOut(nodeTable([one, away], NOW), { colour: false }).map((line) =>
    line.replace(/ {3,}/g, ' | '),
  );
  assert.deepEqual(lines.slice(1), [
    'g1 | online | 2/3 | 150/s | 1.5/s | 4 | offline 60s ECONNREFUSED | 95.0 MiB of 96.0 MiB | modbus crash-loop | 9.0s default/slow.speed',
    'g2 | offline 10m',
  ]);
  const ports = portTable(one) ?? assert.fail('no ports');
  assert.deepEqual(
    ports.rows[0]?.map(({ text }) => text),
    ['serial:bus', '2', '95 %', '1'],
  );
  assert.deepEqual(
    mapperTable(one)?.rows.map((row) => row[0]?.text),
    ['modbus'],
    'idle ones are left out',
  );
});
