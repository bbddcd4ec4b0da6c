/** Resources with their status, as the API shows them: a handful of queries per page. */
import type { DeviceModel, Kind, Resource } from '@limpet/dmi/manifest';
import { compose, type NamedMirror, type ViewRow, withMetadata } from './compose.ts';
import { deletionOf } from './deletions.ts';
import { among, one, type Sql } from './sql.ts';
import type { DeletionRow, DesiredRow } from './tables.ts';

/** Which objects to list; what is absent does not restrict. */
export interface ViewFilter {
  readonly kind: Kind;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly node?: string | undefined;
  readonly model?: string | undefined;
}

/** One object as a watch sees it. See `Sight` of the API. */
export interface Seen {
  readonly state: 'present' | 'deleted';
  readonly resource: Resource;
  readonly created: number;
  readonly configured: number;
}

const SELECT = `
  SELECT o.kind, o.id, o.n, o.namespace, o.model, o.uid, d.doc, k.version, o.generation, o.created, o.pos, o.born,
    c.state, c.reason, c.last_seen, n.state node_state, p.last_seen node_seen,
    CASE o.kind WHEN 'Node' THEN n.facts END facts, w.fields owners, r.progress
  FROM objects o JOIN docs d ON d.n = o.n JOIN marks k ON k.n = o.n
  LEFT JOIN conditions c ON c.n = o.n
  LEFT JOIN owners w ON w.n = o.n
  LEFT JOIN rollouts r ON r.n = o.n
  LEFT JOIN nodes n ON n.name = CASE o.kind WHEN 'Device' THEN o.node WHEN 'Node' THEN o.name END
  LEFT JOIN progress p ON p.node = n.name`;

type Found = ViewRow & {
  readonly n: number;
  readonly namespace: string;
  readonly model: string | null;
};

export class View {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async get(kind: Kind, id: string): Promise<Resource | undefined> {
    const rows = await this.#sql.all<Found>(`${SELECT} WHERE o.kind = $1 AND o.id = $2`, kind, id);
    return (await this.#composed(rows))[0]?.resource;
  }

  /** Up to `limit` objects with an id above `after`, in order of id. */
  async page(filter: ViewFilter, after: string, limit: number): Promise<readonly Resource[]> {
    const { kind, namespace, name, node, model } = filter;
    const { where, values } = restricted({ namespace, name, node, model });
    const rows = await this.#sql.all<Found>(
      `${SELECT} WHERE o.kind = $1 AND o.id > $2 ${where.map((each) => `AND o.${each}`).join(' ')}
        ORDER BY o.id LIMIT $3`,
      kind,
      after,
      limit,
      ...values,
    );
    return (await this.#composed(rows)).map(({ resource }) => resource);
  }

  /** The version of this state, and up to which version deletions are not all known any more. */
  async line(): Promise<{ readonly version: number; readonly forgotten: number }> {
    const text = 'SELECT last version, forgotten FROM line';
    return (await one(this.#sql.all<LineRow>(text))) ?? { version: 0, forgotten: 0 };
  }

  /** Up to `limit` objects that changed or were deleted after `since`, in order of version. */
  async changes(
    { kind, namespace, name }: Omit<ViewFilter, 'node' | 'model'>,
    since: number,
    limit: number,
  ): Promise<readonly Seen[]> {
    const { where, values } = restricted({ namespace, name });
    const of = (table: string): string => where.map((each) => `AND ${table}.${each}`).join(' ');
    const asked = [kind, since, limit, ...values];
    const rows = await this.#sql.all<Found>(
      `${SELECT} WHERE k.kind = $1 AND k.version > $2 ${of('o')} ORDER BY k.version LIMIT $3`,
      ...asked,
    );
    const gone = await this.#sql.all<DeletionRow>(
      `SELECT * FROM deletions d WHERE kind = $1 AND version > $2 ${of('d')} ORDER BY version LIMIT $3`,
      ...asked,
    );
    const seen = [...(await this.#composed(rows)), ...gone.map((row) => lastSeenOf(row))];
    return seen.toSorted((a, b) => versionOf(a) - versionOf(b)).slice(0, limit);
  }

  async #composed(rows: readonly Found[]): Promise<readonly Seen[]> {
    const devices = rows.filter(({ kind }) => kind === 'Device');
    const parts = devices.length === 0 ? undefined : await this.#partsOf(devices);
    return rows.map((row) => ({
      state: 'present',
      resource: compose(row, {
        orders: parts?.orders.get(row.id) ?? [],
        mirrors: parts?.mirrors.get(row.n) ?? [],
        properties: parts?.models.get(`${row.namespace}/${row.model}`) ?? [],
      }),
      created: row.born,
      configured: row.pos,
    }));
  }

  async #partsOf(devices: readonly Found[]): Promise<Parts> {
    const { dialect } = this.#sql;
    const models = new Set(devices.map(({ namespace, model }) => `${namespace}/${model}`));
    const orders = await this.#sql.all<DesiredRow>(
      `SELECT * FROM desired WHERE ${among(dialect, 'device', '$1', 'text')} ORDER BY property`,
      JSON.stringify(devices.map(({ id }) => id)),
    );
    const mirrors = await this.#sql.all<NamedMirror>(
      `SELECT m.*, p.name FROM mirrors m JOIN names p ON p.n = m.prop
        WHERE ${among(dialect, 'm.dev', '$1', 'integer')}`,
      JSON.stringify(devices.map(({ n }) => n)),
    );
    const documents = await this.#sql.all<{ id: string; doc: string }>(
      `SELECT o.id, d.doc FROM objects o JOIN docs d ON d.n = o.n
        WHERE o.kind = 'DeviceModel' AND ${among(dialect, 'o.id', '$1', 'text')}`,
      JSON.stringify([...models]),
    );
    return {
      orders: Map.groupBy(orders, ({ device }) => device),
      mirrors: Map.groupBy(mirrors, ({ dev }) => dev),
      models: new Map(documents.map(({ id, doc }) => [id, propertiesOf(doc)])),
    };
  }
}

interface LineRow {
  readonly version: number;
  readonly forgotten: number;
}

interface Parts {
  readonly orders: ReadonlyMap<string, readonly DesiredRow[]>;
  readonly mirrors: ReadonlyMap<number, readonly NamedMirror[]>;
  /** Names of a model's properties. */
  readonly models: ReadonlyMap<string, readonly string[]>;
}

/** `column = $4` and so on, for what is given. */
function restricted(filter: Readonly<Record<string, string | undefined>>): {
  readonly where: readonly string[];
  readonly values: readonly string[];
} {
  const given = Object.entries(filter).filter((entry): entry is [string, string] => !!entry[1]);
  return {
    where: given.map(([column], index) => `${column} = $${index + 4}`),
    values: given.map(([, value]) => value),
  };
}

function propertiesOf(model: string): readonly string[] {
  const { spec } = JSON.parse(model) as DeviceModel;
  return spec.properties.map(({ name }) => name);
}

function lastSeenOf(row: DeletionRow): Seen {
  const gone = deletionOf(row);
  const resource = withMetadata(gone.doc, { ...gone, generation: 0, created: 0 });
  return { state: 'deleted', resource, created: 0, configured: gone.version };
}

function versionOf({ resource }: Seen): number {
  return Number(resource.metadata.resourceVersion);
}
