/** A small fleet out of a seed, as rows of the store's tables and as the resources that the API shows of them. */
import type { Json } from '@limpet/dmi';
import type {
  Device,
  DeviceModel,
  Node,
  NodeFacts,
  Property,
  PropertyTwin,
  Quality,
  Verdict,
} from '@limpet/dmi/manifest';
import type { Declared } from './catalog.ts';
import type { Fleet } from './fleet.ts';
import type { Random } from './random.fixture.ts';

export const NOW = Date.UTC(2026, 10, 22, 12);

const iso = (ms: number): string => new Date(ms).toISOString();

/** What a mirror and an order hold of one property. */
interface RawTwin {
  readonly reported?: {
    readonly value: Json;
    readonly at: number;
    readonly quality: Quality;
    readonly reason?: string;
  };
  readonly judged?: { readonly rev: number; readonly verdict: Verdict };
  readonly desired?: { readonly value: Json; readonly rev: number };
}

export interface RawDevice {
  readonly n: number;
  readonly namespace: string;
  readonly name: string;
  readonly model: string;
  readonly node: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly condition?: {
    readonly state: 'online' | 'connecting' | 'misconfigured';
    readonly reason?: string;
    readonly lastSeen?: number;
  };
  readonly twins: ReadonlyMap<string, RawTwin>;
}

interface RawNode {
  readonly n: number;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined: it never connected. */
  readonly told?: {
    readonly state: 'online' | 'offline';
    readonly lastSeen: number;
    readonly facts: Json;
  };
}

export interface RawModel {
  readonly n: number;
  readonly namespace: string;
  readonly name: string;
  readonly properties: readonly Declared[];
}

export interface RawFleet {
  readonly devices: readonly RawDevice[];
  readonly nodes: readonly RawNode[];
  readonly models: readonly RawModel[];
}

export const DECLARED: readonly Declared[] = [
  { name: 'temperature', type: 'float', unit: 'Cel', access: 'read' },
  { name: 'setpoint', type: 'int', access: 'readWrite' },
  { name: 'running', type: 'bool', access: 'readWrite' },
  { name: 'serial', type: 'string', access: 'readWrite' },
  { name: 'config', type: 'json', access: 'readWrite' },
  // A name that models do not agree on.
  { name: 'mode', type: 'string', access: 'read' },
];

const TEXTS = [
  '',
  'a',
  'A',
  'auto',
  'Auto',
  'b%',
  'x_y',
  'é',
  'zz',
  '\u{1F600}',
  '\uFF5E',
  'back\\slash',
  "o'clock",
  'x'.repeat(300),
  '*?[a]',
  'ab\u0000cd',
];
const CONFIGS: readonly Json[] = [
  { mode: 'auto', limits: { high: 10, low: -2.5 }, list: [1, 'two', null] },
  { mode: 5, limits: [3, 4] },
  { mode: true, 'odd key': 'yes', list: [] },
  { mode: 'C:\\udp\\u0000', limits: null },
  { mode: 'no\u0000text', limits: { high: 1 } },
  { mode: 'half\ud800' },
  [1, 2, { mode: 'x' }],
  'plain',
  7,
];

export function randomFleet(random: Random, size: number): RawFleet {
  const nodes = ['n1', 'n2', 'n3', 'n4'].map((name, index) => nodeOf(random, name, 100 + index));
  const models: RawModel[] = [
    { n: 201, namespace: 'default', name: 'boiler', properties: DECLARED },
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
  ];
  const devices = Array.from({ length: size }, (_, index) => deviceOf(random, index));
  return { devices, nodes, models };
}

function nodeOf(random: Random, name: string, n: number): RawNode {
  const labels = random.chance(0.5) ? { site: random.of(['north', 'south']) } : {};
  if (name === 'n4') return { n, name, labels };
  const facts = {
    architecture: random.of(['arm64', 'x64']),
    os: random.of(['Debian 12', 'Debian 13']),
    uptime: random.below(5) * 100,
    memory: { total: 1024, available: random.below(1024) },
    addresses: ['10.0.0.1'],
  };
  const lastSeen = NOW - random.below(100_000);
  return {
    n,
    name,
    labels,
    told: { state: random.of(['online', 'offline'] as const), lastSeen, facts },
  };
}

function deviceOf(random: Random, index: number): RawDevice {
  const labels: Record<string, string> = {};
  if (random.chance(0.6)) labels['site'] = random.of(['north', 'south', 'é']);
  if (random.chance(0.3)) labels['app.kubernetes.io/name'] = random.of(['a', 'b']);
  const twins = new Map<string, RawTwin>();
  for (const { name } of DECLARED) {
    const twin = random.chance(0.85) ? twinOf(random, name) : {};
    if (Object.keys(twin).length > 0) twins.set(name, twin);
  }
  const lastSeen = random.chance(0.8) ? { lastSeen: NOW - random.below(50_000) } : {};
  const condition = {
    state: random.of(['online', 'connecting', 'misconfigured'] as const),
    ...lastSeen,
    ...(random.chance(0.3) && { reason: random.of(['TIMEOUT', 'REFUSED']) }),
  };
  return {
    n: index + 1,
    namespace: random.of(['default', 'plant']),
    name: `d${String((index * 7) % 1000).padStart(3, '0')}`,
    model: random.of(['boiler', 'boiler', 'pump']),
    node: random.of(['n1', 'n2', 'n3', 'n4']),
    labels,
    ...(random.chance(0.9) && { condition }),
    twins,
  };
}

function twinOf(random: Random, name: string): RawTwin {
  const quality = random.of(['good', 'good', 'stale', 'bad'] as const);
  const reported = {
    value: random.chance(0.1) ? null : valueOf(random, name),
    at: NOW - random.below(200_000),
    quality,
    ...(quality !== 'good' && random.chance(0.7) && { reason: random.of(['BUSY', 'GONE']) }),
  };
  const rev = 10 + random.below(3);
  const wanted = random.chance(0.5);
  return {
    ...(random.chance(0.9) && { reported }),
    ...(random.chance(0.5) && {
      judged: { rev, verdict: random.of(['pending', 'applied', 'rejected', 'expired'] as const) },
    }),
    ...(wanted && {
      desired: {
        value: random.chance(0.2)
          ? null
          : random.chance(0.4)
            ? reported.value
            : valueOf(random, name),
        rev: 10 + random.below(3),
      },
    }),
  };
}

function valueOf(random: Random, name: string): Json {
  // Now and then what the model does not say.
  if (random.chance(0.05)) return random.of([1, true, 'odd', { odd: 1 }] as Json[]);
  switch (name) {
    case 'temperature':
      return random.below(800) / 8;
    case 'setpoint':
      return random.chance(0.1) ? '9007199254740993' : random.below(20) - 10;
    case 'running':
      return random.chance(0.5);
    case 'config':
      return random.of(CONFIGS);
    case 'mode':
      return random.chance(0.5) ? random.below(5) : random.of(TEXTS);
    default:
      return random.of(TEXTS);
  }
}

/** What the API shows of these rows. */
export function fleetOf({ devices, nodes, models }: RawFleet): Fleet {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const shown = {
    devices: devices.map((device) => shownDevice(device, byName.get(device.node)?.told)),
    nodes: nodes.map((node) => shownNode(node)),
    models: models.map((model) => shownModel(model)),
  };
  return {
    devices: () => shown.devices,
    nodes: () => shown.nodes,
    models: () => shown.models,
  };
}

const CREATED = '2026-11-01T00:00:00Z';

function shownNode({ name, labels, told, n }: RawNode): Node {
  const facts = told?.facts as unknown as NodeFacts | undefined;
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'Node',
    metadata: { name, labels, uid: `u${n}`, creationTimestamp: CREATED },
    spec: {},
    status: {
      state: told?.state ?? 'offline',
      ...(told && { lastSeen: iso(told.lastSeen) }),
      ...(facts && { facts }),
    },
  };
}

export function shownModel({ namespace, name, properties, n }: RawModel): DeviceModel {
  const visitor = {};
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'DeviceModel',
    metadata: { namespace, name, uid: `u${n}`, creationTimestamp: CREATED },
    spec: {
      protocol: namespace === 'plant' ? 'opcua' : 'modbus',
      properties: properties.map((each) => ({ ...each, visitor }) as Property),
    },
  };
}

function shownDevice(device: RawDevice, told: RawNode['told']): Device {
  const { namespace, name, labels, model, node, condition, n } = device;
  const away = told?.state !== 'online';
  const reason = away ? (told === undefined ? 'NODE_UNKNOWN' : 'NODE_OFFLINE') : condition?.reason;
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'Device',
    metadata: { namespace, name, labels, uid: `u${n}`, creationTimestamp: CREATED },
    spec: { model, node, settings: {} },
    status: {
      state: away ? 'offline' : (condition?.state ?? 'connecting'),
      ...(reason !== undefined && { reason: { code: reason, message: '' } }),
      ...(condition?.lastSeen !== undefined && { lastSeen: iso(condition.lastSeen) }),
      twin: Object.fromEntries(
        [...device.twins].map(([property, twin]) => [
          property,
          shownTwin(twin, away, told === undefined),
        ]),
      ),
    },
  };
}

function shownTwin(twin: RawTwin, away: boolean, unknown: boolean): PropertyTwin {
  const reported = shownReported(twin, away, unknown);
  const { judged, desired } = twin;
  if (desired === undefined || desired.value === null) return reported;
  const { value, rev } = desired;
  const verdict = judged !== undefined && judged.rev === rev ? judged.verdict : 'pending';
  return { ...reported, desired: { value, rev, verdict, stages: { accepted: CREATED } } };
}

function shownReported({ reported }: RawTwin, away: boolean, unknown: boolean): PropertyTwin {
  if (reported === undefined) return {};
  const stale = away && reported.quality === 'good';
  const code = stale ? (unknown ? 'NODE_UNKNOWN' : 'NODE_OFFLINE') : reported.reason;
  const { value, at } = reported;
  const quality = stale ? 'stale' : reported.quality;
  const reason = code === undefined ? {} : { reason: { code, message: '' } };
  return { reported: { value, at: iso(at), quality, ...reason } };
}
