/** What queries can be about, as the store has it now. */
import type { DeviceModel } from '@limpet/dmi/manifest';
import { catalogOf, type SqlCatalog } from '#protocol/query';
import { one, type Sql } from '../store/sql.ts';

type Look = <T>(work: (sql: Sql) => Promise<T>) => Promise<T>;

/** The same object while no model has changed and no property has a new name. */
export function catalogs(look: Look): () => Promise<SqlCatalog> {
  let known: { readonly mark: string; readonly catalog: SqlCatalog } | undefined;
  return () =>
    look(async (sql) => {
      const mark = await markOf(sql);
      if (known?.mark !== mark) known = { mark, catalog: await catalogIn(sql) };
      return known.catalog;
    });
}

/** Models that come raise the highest version, models that go lower their count. */
async function markOf(sql: Sql): Promise<string> {
  type Mark = { readonly version: number | null; readonly models: number; readonly names: number };
  const mark = await one(
    sql.all<Mark>(
      `SELECT max(version) version, count(*) models, (SELECT max(n) FROM names) names
        FROM marks WHERE kind = 'DeviceModel'`,
    ),
  );
  return JSON.stringify(mark);
}

async function catalogIn(sql: Sql): Promise<SqlCatalog> {
  const models = await sql.all<{
    readonly namespace: string;
    readonly name: string;
    readonly doc: string;
  }>(
    `SELECT o.namespace, o.name, d.doc FROM objects o JOIN docs d ON d.n = o.n WHERE o.kind = 'DeviceModel'`,
  );
  const names = await sql.all<{ readonly n: number; readonly name: string }>(
    'SELECT n, name FROM names',
  );
  const declared = models.flatMap(({ doc }) => (JSON.parse(doc) as DeviceModel).spec.properties);
  const numbers = new Map(names.map(({ n, name }) => [name, n]));
  const namespaces = Map.groupBy(models, ({ name }) => name);
  return {
    ...catalogOf(declared, numbers.keys()),
    number: (name) => numbers.get(name),
    namespaces: (model) => (namespaces.get(model) ?? []).map(({ namespace }) => namespace),
    // Of a walk over all rows every start is as good as any other.
    rows: { devices: 0, properties: 0, nodes: 0, models: models.length },
  };
}
