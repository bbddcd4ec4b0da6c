/** A random fleet as rows of the store's tables. */
import { mirrored } from './index.ts';
import { canonical } from './value.ts';
import type { SqlCatalog } from './sql/catalog.ts';
import type { SqlValue } from './sql/dialect.ts';
import { catalogOf } from './catalog.ts';
import { type RawDevice, type RawFleet, shownModel } from './random-fleet.fixture.ts';

type RowOf = Readonly<Record<string, SqlValue>>;

export type TableRows = Readonly<Record<string, readonly Readonly<Record<string, SqlValue>>[]>>;

const CREATED = Date.UTC(2026, 10, 1) + 123;

export function rowsOfFleet({ devices, nodes, models }: RawFleet): TableRows {
  const names = namesOf(models);
  const objects: readonly RowOf[] = [
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
    objects: objects.map(({ doc: _doc, ...row }) => row),
    docs: objects.map(({ n = null, doc = null }) => ({ n, doc })),
    labels: [...devices, ...nodes].flatMap(({ n, labels }) => {
      return Object.entries(labels).map(([key, value]) => ({ n, key, value }));
    }),
    names: names.map((name, index) => ({ n: index + 1, name })),
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
    mirrors: devices.flatMap((device) => mirrorsOf(device, names)),
    desired: devices.flatMap((device) => ordersOf(device)),
  };
}

/** Properties in the order of their numbers. */
function namesOf(models: RawFleet['models']): readonly string[] {
  const names = models.flatMap(({ properties }) => properties.map(({ name }) => name));
  return [...new Set(names)];
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

function mirrorsOf({ n: dev, twins }: RawDevice, names: readonly string[]): readonly RowOf[] {
  return [...twins].flatMap(([name, twin]) => {
    const { reported, judged } = twin;
    if (reported === undefined && judged === undefined) return [];
    const { rev = null, verdict = null } = judged ?? {};
    const { value = null, quality = null, at = null, reason } = reported ?? {};
    const said = { ...mirrored(value), quality, at, reason: reasonText(reason), rev, verdict };
    const prop = names.indexOf(name) + 1;
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
  const numbers = new Map(namesOf(models).map((name, index) => [name, index + 1]));
  const properties = devices.reduce((sum, { twins }) => sum + twins.size, 0);
  return {
    ...catalogOf(models.flatMap((model) => model.properties)),
    number: (name) => numbers.get(name),
    namespaces: (name) =>
      models.filter((model) => model.name === name).map(({ namespace }) => namespace),
    rows: { devices: devices.length, properties, nodes: nodes.length, models: models.length },
  };
}
