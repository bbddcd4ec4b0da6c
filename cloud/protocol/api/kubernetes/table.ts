/** Resources as the tables that `kubectl get` prints: the server says which columns there are. */
import type { Device, DeviceModel, Kind, Node, Resource, Rollout } from '@limpet/dmi/manifest';
import type { Include, Shape } from '../shape.ts';
import { metadataOf } from './metadata.ts';

/** `priority` above 0: only with `-o wide`. */
interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer';
  readonly format: string;
  readonly description: string;
  readonly priority: number;
}

type Cell = string | number;

const NAME = {
  ...column('Name', 'The name, unique for its kind in its namespace.'),
  format: 'name',
};
const AGE = column('Age', 'Since when it exists.');
const ABOUT = wide('Description', 'What people say of it.');

const COLUMNS: Readonly<Record<Kind, readonly Column[]>> = {
  Device: [
    NAME,
    column('State', 'Whether the device answers.'),
    column('Node', 'The node whose edge runs it.'),
    column('Model', 'The kind of device it is.'),
    column('Good', 'Properties with a good value, of those reported.'),
    column('Orders', 'Desired values that are not applied, of those given.'),
    AGE,
    wide('Last seen', 'When the device last answered anything.'),
    wide('Reason', 'Why it is not online.'),
    ABOUT,
  ],
  DeviceModel: [
    NAME,
    column('Protocol', 'What its devices speak: the name of a mapper.'),
    { ...column('Properties', 'How many it has.'), type: 'integer' },
    { ...column('Methods', 'How many it has.'), type: 'integer' },
    AGE,
    ABOUT,
  ],
  Rollout: [
    NAME,
    column('Phase', 'How far it is.'),
    { ...column('Devices', 'How many it is for.'), type: 'integer' },
    { ...column('Applied', 'Devices that have what is wanted.'), type: 'integer' },
    { ...column('Failed', 'Devices that refused it, or not in time.'), type: 'integer' },
    AGE,
    wide('Reason', 'Why it does not go on.'),
    wide('Query', 'What it does, and to which devices.'),
  ],
  Node: [
    NAME,
    column('State', 'Whether its edge is connected.'),
    column('Version', 'The version of its edge.'),
    column('Board', 'The board it is.'),
    AGE,
    wide('Architecture', 'Of its processor.'),
    wide('OS', 'The operating system.'),
    wide('Addresses', 'Under which it is reached.'),
    wide('Last seen', 'When its edge was last heard.'),
    ABOUT,
  ],
};

/** `clock`: from which ages are told, in ms since 1970. */
export function tableShape(include: Include, clock: () => number): Shape {
  const row = (resource: Resource) => {
    const object = objectOf(resource, include);
    return { cells: cellsOf(resource, clock()), ...(object !== undefined && { object }) };
  };
  return {
    opening: (kind) => {
      const columns = JSON.stringify(COLUMNS[kind]);
      return `{"kind":"Table","apiVersion":"meta.k8s.io/v1","columnDefinitions":${columns},"rows":[`;
    },
    item: row,
    single: (resource) => table(resource.metadata, COLUMNS[resource.kind], [row(resource)]),
    watched: (kind) => {
      // Said once: whoever prints tables keeps the columns.
      let columns = COLUMNS[kind];
      return (object) => {
        const rows = 'spec' in object ? [row(object)] : [];
        const event = table(object.metadata, columns, rows);
        columns = [];
        return event;
      };
    },
  };
}

function table(
  { resourceVersion }: { readonly resourceVersion?: string },
  columnDefinitions: readonly Column[],
  rows: readonly object[],
): object {
  const metadata = { resourceVersion };
  return { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata, columnDefinitions, rows };
}

function objectOf(resource: Resource, include: Include): object | undefined {
  if (include === 'None') return undefined;
  return include === 'Object' ? resource : metadataOf(resource);
}

function cellsOf(resource: Resource, now: number): readonly Cell[] {
  switch (resource.kind) {
    case 'Device':
      return deviceCells(resource, now);
    case 'DeviceModel':
      return modelCells(resource, now);
    case 'Node':
      return nodeCells(resource, now);
    case 'Rollout':
      return rolloutCells(resource, now);
  }
}

function deviceCells({ metadata, spec, status }: Device, now: number): readonly Cell[] {
  const twins = Object.values(status?.twin ?? {});
  const reported = twins.flatMap((twin) => twin.reported ?? []);
  const good = reported.filter(({ quality }) => quality === 'good');
  const desired = twins.flatMap((twin) => twin.desired ?? []);
  const open = desired.filter(({ verdict }) => verdict !== 'applied');
  return [
    metadata.name,
    status?.state ?? 'connecting',
    spec.node,
    spec.model,
    `${good.length}/${reported.length}`,
    `${open.length}/${desired.length}`,
    since(metadata.creationTimestamp, now),
    since(status?.lastSeen, now),
    status?.reason?.code ?? '',
    spec.description ?? '',
  ];
}

function modelCells({ metadata, spec }: DeviceModel, now: number): readonly Cell[] {
  return [
    metadata.name,
    spec.protocol,
    spec.properties.length,
    spec.methods?.length ?? 0,
    since(metadata.creationTimestamp, now),
    spec.description ?? '',
  ];
}

function nodeCells({ metadata, spec, status }: Node, now: number): readonly Cell[] {
  const { state = 'offline', lastSeen, facts } = status ?? {};
  const { versions, board = '', architecture = '', os = '', addresses = [] } = facts ?? {};
  return [
    metadata.name,
    state,
    versions?.limpet ?? '',
    board,
    since(metadata.creationTimestamp, now),
    architecture,
    os,
    addresses.join(','),
    since(lastSeen, now),
    spec.description ?? '',
  ];
}

function rolloutCells({ metadata, spec, status }: Rollout, now: number): readonly Cell[] {
  const { total = 0, applied = 0, rejected = 0, expired = 0 } = status?.counts ?? {};
  return [
    metadata.name,
    status?.phase ?? 'Planned',
    total,
    applied,
    rejected + expired,
    since(metadata.creationTimestamp, now),
    status?.reason?.code ?? '',
    wishOf(spec),
  ];
}

function wishOf({ query, set = {}, where = '' }: Rollout['spec']): string {
  return query ?? `SET ${Object.keys(set).join(', ')} WHERE ${where}`;
}

const UNITS: readonly (readonly [letter: string, seconds: number])[] = [
  ['y', 365 * 86_400],
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
];

/** How long ago, in the two largest units that people still care about: `3d4h`, `12m`, `9s`. */
function since(time: string | undefined, now: number): string {
  const then = Date.parse(time ?? '');
  if (Number.isNaN(then)) return '<unknown>';
  const seconds = Math.max(0, Math.floor((now - then) / 1_000));
  const largest = UNITS.findIndex(([, size]) => seconds >= size * 2);
  const [letter, size] = UNITS[largest] ?? ['s', 1];
  const count = Math.floor(seconds / size);
  const [next, small] = UNITS[largest + 1] ?? ['', 0];
  const rest = small === 0 || count >= 8 ? 0 : Math.floor((seconds % size) / small);
  return `${count}${letter}${rest > 0 ? `${rest}${next}` : ''}`;
}

function column(name: string, description: string): Column {
  return { name, type: 'string', format: '', description, priority: 0 };
}

function wide(name: string, description: string): Column {
  return { ...column(name, description), priority: 1 };
}
