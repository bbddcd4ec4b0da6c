/** A random fleet as rows of the store's tables. */
import { mirrored } from './index.ts';
import { canonical } from './value.ts';
import type { SqlCatalog } from './sql/catalog.ts';
import type { SqlValue } from './sql/dialect.ts';
import { catalogOf } from './catalog.ts';
import { DECLARED, type RawDevice, type RawFleet, shownModel } from './random-fleet.fixture.ts';

export type TableRows = Readonly<Record<string, readonly Readonly<Record<string, SqlValue>>[]>>;

const CREATED = Date.UTC(2026, 10, 1) + 123;

export function rowsOfFleet({ devices, nodes, models }: RawFleet): TableRows {
  const objects = [
    ...devices.map((device) => object(device.n, 'Device', { ...device, doc: deviceDoc(device) })),
    ...nodes.map(({ n, name, labels }) => {
      const metadata = { name, labels };
      return {
        ...object(n, 'Node', { namespace: '', name, doc: { metadata, spec: {} } }),
        id: name,
      };
    }),
    ...models.map((model) => {
      const { metadata, spec } = shownModel(model);
      return object(model.n, 'DeviceModel', { ...model, doc: { metadata, spec } });
    }),
  ];
  const told = nodes.filter((node) => node.told !== undefined);
  return {
    objects,
    labels: [...devices, ...nodes].flatMap(({ n, labels }) => {
      return Object.entries(labels).map(([key, value]) => ({ n, key, value }));
    }),
    names: DECLARED.map(({ name }, index) => ({ n: index + 1, name })),
    conditions: devices.flatMap(({ n, condition }) => {
      if (condition === undefined) return [];
      const { state, reason, lastSeen = null } = condition;
      return [{ n, state, reason: reasonText(reason), last_seen: lastSeen }];
    }),
    nodes: told.map(({ name, told: said }) => {
      return {
        name,
        state: said?.state ?? '',
        facts: JSON.stringify(said?.facts),
        epoch: 'e',
        stored: 0,
      };
    }),
    progress: told.map(({ name, told: said }) => ({
      node: name,
      seq: 1,
      last_seen: said?.lastSeen ?? 0,
    })),
    mirrors: devices.flatMap((device) => mirrorsOf(device)),
    desired: devices.flatMap((device) => ordersOf(device)),
  };
}

interface Own {
  readonly namespace: string;
  readonly name: string;
  readonly node?: string;
  readonly model?: string;
  readonly doc: unknown;
}

function object(n: number, kind: string, own: Own): Readonly<Record<string, SqlValue>> {
  const { namespace, name, node = null, model = null, doc } = own;
  const id = `${namespace}/${name}`;
  const given = { rev: n, pos: n, born: n, generation: 1, created: CREATED };
  return {
    n,
    kind,
    id,
    namespace,
    name,
    uid: `u${n}`,
    doc: JSON.stringify(doc),
    node,
    model,
    ...given,
  };
}

function deviceDoc({ namespace, name, labels, model, node }: RawDevice): unknown {
  return { metadata: { namespace, name, labels }, spec: { model, node, settings: {} } };
}

const reasonText = (code: string | undefined): string | null =>
  code === undefined ? null : JSON.stringify({ code, message: '' });

type RowOf = Readonly<Record<string, SqlValue>>;

function mirrorsOf({ n: dev, twins }: RawDevice): readonly RowOf[] {
  return [...twins].flatMap(([name, twin]) => {
    const { reported, judged } = twin;
    if (reported === undefined && judged === undefined) return [];
    const { rev = null, verdict = null } = judged ?? {};
    const { value = null, quality = null, at = null, reason } = reported ?? {};
    const said = { ...mirrored(value), quality, at, reason: reasonText(reason), rev, verdict };
    const prop = DECLARED.findIndex((each) => each.name === name) + 1;
    return [
      { dev, prop, ...said, verdict_reason: null, stored: null, sent: null, confirmed: null },
    ];
  });
}

function ordersOf({
  namespace,
  name,
  node,
  twins,
}: RawDevice): readonly Readonly<Record<string, SqlValue>>[] {
  return [...twins].flatMap(([property, { desired }]) => {
    if (desired === undefined) return [];
    const { value, rev } = desired;
    const given = { pos: rev, accepted: CREATED, expires: null };
    return [
      { device: `${namespace}/${name}`, property, node, value: canonical(value), rev, ...given },
    ];
  });
}

/** The catalog of a random fleet. */
export function sqlCatalogOf({ devices, models, nodes }: RawFleet): SqlCatalog {
  const numbers = new Map(DECLARED.map(({ name }, index) => [name, index + 1]));
  const properties = devices.reduce((sum, { twins }) => sum + twins.size, 0);
  return {
    ...catalogOf(models.flatMap((model) => model.properties)),
    number: (name) => numbers.get(name),
    namespaces: (name) =>
      models.filter((model) => model.name === name).map(({ namespace }) => namespace),
    rows: { devices: devices.length, properties, nodes: nodes.length, models: models.length },
  };
}

/** The store's tables, as SQLite spells them. */
export const SCHEMA = `
  CREATE TABLE objects (kind TEXT NOT NULL, id TEXT NOT NULL, n INTEGER NOT NULL UNIQUE, namespace TEXT NOT NULL, name TEXT NOT NULL,
    uid TEXT NOT NULL, doc TEXT NOT NULL, node TEXT, model TEXT, rev INTEGER NOT NULL, pos INTEGER NOT NULL,
    born INTEGER NOT NULL, generation INTEGER NOT NULL, created INTEGER NOT NULL, PRIMARY KEY (kind, id));
  CREATE INDEX objects_pos ON objects (kind, node, pos);
  CREATE INDEX objects_model ON objects (namespace, model, node) WHERE kind = 'Device';
  CREATE TABLE labels (n INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (n, key)) WITHOUT ROWID;
  CREATE INDEX labels_value ON labels (key, value, n);
  CREATE TABLE names (n INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  CREATE TABLE mirrors (dev INTEGER NOT NULL, prop INTEGER NOT NULL, value TEXT, num REAL, text TEXT, type TEXT, quality TEXT,
    at INTEGER, reason TEXT, rev INTEGER, verdict TEXT, verdict_reason TEXT, stored INTEGER, sent INTEGER,
    confirmed INTEGER, PRIMARY KEY (dev, prop)) WITHOUT ROWID;
  CREATE INDEX mirrors_num ON mirrors (prop, num, dev);
  CREATE INDEX mirrors_text ON mirrors (prop, text, dev) WHERE text IS NOT NULL;
  CREATE INDEX mirrors_quality ON mirrors (prop, quality, dev) WHERE quality <> 'good';
  CREATE INDEX mirrors_verdict ON mirrors (prop, verdict, dev) WHERE verdict <> 'applied';
  CREATE TABLE conditions (n INTEGER PRIMARY KEY, state TEXT NOT NULL, reason TEXT, last_seen INTEGER);
  CREATE TABLE desired (device TEXT NOT NULL, property TEXT NOT NULL, node TEXT NOT NULL, value TEXT NOT NULL, rev INTEGER NOT NULL,
    pos INTEGER NOT NULL, accepted INTEGER NOT NULL, expires INTEGER, PRIMARY KEY (device, property)) WITHOUT ROWID;
  CREATE INDEX desired_property ON desired (property, device);
  CREATE TABLE nodes (name TEXT PRIMARY KEY, state TEXT NOT NULL, facts TEXT NOT NULL, epoch TEXT NOT NULL, stored INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE progress (node TEXT PRIMARY KEY, seq INTEGER NOT NULL, last_seen INTEGER NOT NULL) WITHOUT ROWID;
`;
