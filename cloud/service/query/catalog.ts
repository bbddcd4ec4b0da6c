/** What queries can be about, as the database has it: read anew when models change, when names come, and now and then. */
import type { DeviceModel } from '@limpet/dmi/manifest';
import { catalogOf, type SqlCatalog } from '#protocol/query';
import type { Sql } from '../store/sql.ts';

/** How long counts of rows stand: they are estimates. */
const COUNTS_MS = 30_000;

interface Known {
  readonly mark: string;
  readonly countedAt: number;
  readonly catalog: SqlCatalog;
}

/** Where nobody asks how many there are. */
const UNCOUNTED = { devices: 0, nodes: 0, models: 0, properties: 0 };

export class CatalogReader {
  readonly #counted: boolean;
  #known: Known | undefined;

  constructor(counted: boolean) {
    this.#counted = counted;
  }

  async read(sql: Sql, now: number): Promise<SqlCatalog> {
    const mark = await markOf(sql);
    const known = this.#known;
    if (known?.mark === mark && now - known.countedAt < COUNTS_MS) return known.catalog;
    const rows = this.#counted ? await countsOf(sql) : UNCOUNTED;
    const catalog =
      known?.mark === mark ? { ...known.catalog, rows } : { ...(await declaredIn(sql)), rows };
    this.#known = { mark, countedAt: now, catalog };
    return catalog;
  }
}

/** Moves when a model changes, or a property is reported that never was before. */
export async function markOf(sql: Sql): Promise<string> {
  const [models] = await sql.all<{ n: number; v: number | null }>(
    "SELECT count(*) AS n, max(version) AS v FROM marks WHERE kind = 'DeviceModel'",
  );
  const [names] = await sql.all<{ n: number | null }>('SELECT max(n) AS n FROM names');
  return `${models?.n} ${models?.v} ${names?.n}`;
}

async function countsOf(sql: Sql): Promise<SqlCatalog['rows']> {
  const kinds = await sql.all<{ kind: string; n: number }>(
    'SELECT kind, count(*) AS n FROM marks GROUP BY kind',
  );
  const [mirrors] = await sql.all<{ n: number }>('SELECT count(*) AS n FROM mirrors');
  const of = (kind: string): number => Number(kinds.find((each) => each.kind === kind)?.n ?? 0);
  const properties = Number(mirrors?.n ?? 0);
  return { devices: of('Device'), nodes: of('Node'), models: of('DeviceModel'), properties };
}

export async function declaredIn(sql: Sql): Promise<Omit<SqlCatalog, 'rows'>> {
  const names = await sql.all<{ n: number; name: string }>('SELECT n, name FROM names');
  const docs = await sql.all<{ doc: string }>(
    "SELECT d.doc FROM objects o JOIN docs d ON d.n = o.n WHERE o.kind = 'DeviceModel'",
  );
  const models = docs.map(({ doc }) => JSON.parse(doc) as DeviceModel);
  const numbers = new Map(names.map(({ n, name }) => [name, Number(n)]));
  const namespaces = Map.groupBy(models, ({ metadata }) => metadata.name);
  const declared = models.flatMap(({ spec }) => spec.properties);
  return {
    ...catalogOf(declared, numbers.keys()),
    number: (name) => numbers.get(name),
    namespaces: (model) =>
      (namespaces.get(model) ?? []).map(({ metadata }) => metadata.namespace ?? 'default'),
  };
}
