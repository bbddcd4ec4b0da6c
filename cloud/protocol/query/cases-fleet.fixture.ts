/** Five devices, three nodes and three models, made by hand: what the table of cases is about. */
import type { Json } from '@limpet/dmi';
import type { Quality } from '@limpet/dmi/manifest';
import { DECLARED, NOW, type RawDevice, type RawFleet } from './random-fleet.fixture.ts';

type Twin = RawDevice['twins'] extends ReadonlyMap<string, infer T> ? T : never;

function said(value: Json, agoMs = 1_000, quality: Quality = 'good', reason?: string): Twin {
  return { reported: { value, at: NOW - agoMs, quality, ...(reason !== undefined && { reason }) } };
}

const DEVICES: readonly RawDevice[] = [
  {
    n: 1,
    namespace: 'default',
    name: 'a',
    model: 'boiler',
    node: 'n1',
    labels: { site: 'north', 'app.kubernetes.io/name': 'heat' },
    condition: { state: 'online', lastSeen: NOW - 500 },
    twins: new Map<string, Twin>([
      ['temperature', said(80.5, 10_000)],
      [
        'setpoint',
        { ...said(50), judged: { rev: 10, verdict: 'applied' }, desired: { value: 50, rev: 10 } },
      ],
      ['running', said(true)],
      ['serial', said("it's")],
      ['config', said({ mode: 'auto', limits: [{ high: 10 }], nothing: null })],
      ['mode', said('auto')],
      ['state', said('idle')],
      ['flow-rate', said(1.5)],
    ]),
  },
  {
    n: 2,
    namespace: 'default',
    name: 'b',
    model: 'boiler',
    node: 'n1',
    labels: { site: 'south' },
    condition: { state: 'connecting', reason: 'TIMEOUT' },
    twins: new Map<string, Twin>([
      ['temperature', said(20, 60_000, 'bad', 'BUSY')],
      [
        'setpoint',
        { ...said(40), judged: { rev: 11, verdict: 'rejected' }, desired: { value: 60, rev: 11 } },
      ],
      ['running', said(false)],
      ['serial', said('50%_x')],
      ['config', said({ mode: 5, limits: [3, 4] })],
      ['mode', said('Auto')],
    ]),
  },
  {
    n: 3,
    namespace: 'default',
    name: 'c',
    model: 'boiler',
    node: 'n2',
    labels: {},
    condition: { state: 'online', lastSeen: NOW - 3_600_000 },
    twins: new Map<string, Twin>([
      ['temperature', said(95, 3_600_000)],
      // What was judged is not the present order.
      ['setpoint', { judged: { rev: 9, verdict: 'applied' }, desired: { value: 70, rev: 12 } }],
      ['serial', said('é')],
    ]),
  },
  {
    n: 4,
    namespace: 'plant',
    name: 'd',
    model: 'boiler',
    node: 'n3',
    labels: { site: 'north' },
    twins: new Map<string, Twin>([
      ['temperature', said(null, 5_000)],
      ['mode', said(5)],
    ]),
  },
  {
    n: 5,
    namespace: 'default',
    name: 'e',
    model: 'pump',
    node: 'n1',
    labels: { site: 'north' },
    condition: { state: 'online', lastSeen: NOW - 700 },
    twins: new Map<string, Twin>([
      ['temperature', said(20, 120_000, 'stale', 'GONE')],
      // An order that was withdrawn is none.
      ['setpoint', { ...said('9007199254740993'), desired: { value: null, rev: 13 } }],
      ['serial', said('Zed')],
    ]),
  },
];

const FACTS = {
  architecture: 'arm64',
  os: 'Debian 12',
  uptime: 300,
  memory: { total: 1024, available: 512 },
  addresses: ['10.0.0.1', '10.0.0.2'],
};

export const CASES_FLEET: RawFleet = {
  devices: DEVICES,
  nodes: [
    {
      n: 101,
      name: 'n1',
      labels: { site: 'north' },
      told: { state: 'online', lastSeen: NOW - 1_000, facts: FACTS },
    },
    {
      n: 102,
      name: 'n2',
      labels: {},
      told: {
        state: 'offline',
        lastSeen: NOW - 3_600_000,
        facts: { ...FACTS, architecture: 'x64', memory: { total: 2048, available: 1 } },
      },
    },
    // It never connected.
    { n: 103, name: 'n3', labels: {} },
  ],
  models: [
    {
      n: 201,
      namespace: 'default',
      name: 'boiler',
      properties: [
        ...DECLARED,
        // Named like a column.
        { name: 'state', type: 'string' },
        { name: 'flow-rate', type: 'float' },
      ],
    },
    {
      n: 202,
      namespace: 'plant',
      name: 'boiler',
      properties: [
        { name: 'mode', type: 'int' },
        { name: 'temperature', type: 'float', unit: 'Cel' },
      ],
    },
    { n: 203, namespace: 'default', name: 'pump', properties: [] },
  ],
};
