/** The query language as rollouts need it: what an UPDATE says, and which devices it is for. */
import type { DeviceModel } from '@limpet/dmi/manifest';
import { ApiError } from '#protocol/api';
import {
  candidatesFor,
  catalogOf,
  check,
  type CheckedUpdate,
  compileSelect,
  faultOf,
  parse,
  QueryError,
  type SqlCatalog,
} from '#protocol/query';
import { one, type SqlValue } from '../store/sql.ts';
import type { Reading } from '../store/store.ts';
import type { Asked, Language, Update } from './choose.ts';

/** Where to start to read is worth counting up to so many rows. */
const WORTH = 100_000;

export const queryLanguage: Language = {
  read: async (tables, text, now) => {
    const { desired, dryRun, rollout } = updateIn(text, await catalogIn(tables), now);
    return { set: desired, dryRun, ...rollout } satisfies Update;
  },
  devices: async (reading, asked) => devicesIn(reading, asked),
};

type Known = Pick<Reading, 'objects' | 'names'>;

async function catalogIn({ objects, names }: Known): Promise<SqlCatalog> {
  const models = await objects.models();
  const declared = models.flatMap(({ spec }) => spec.properties);
  const spaces = Map.groupBy(models, ({ metadata: { name } }) => name);
  return {
    ...catalogOf(declared),
    number: (name) => names.known(name),
    namespaces: (model) => (spaces.get(model) ?? []).map((each) => namespaceOf(each)),
    rows: { devices: 0, properties: 0, nodes: 0, models: models.length },
  };
}

function namespaceOf({ metadata: { namespace = 'default' } }: DeviceModel): string {
  return namespace;
}

/** @throws ApiError BadRequest, with the place of the fault */
function updateIn(text: string, catalog: SqlCatalog, now: number): CheckedUpdate {
  try {
    const checked = check(parse(text), { catalog, now, text });
    if (checked.kind === 'update' && !checked.explain) return checked;
  } catch (error) {
    if (error instanceof QueryError) throw refusal(error, text);
    throw error;
  }
  throw new ApiError(
    'BadRequest',
    'a rollout is an UPDATE: UPDATE devices SET desired.x = … WHERE …',
  );
}

function refusal(error: QueryError, text: string): ApiError {
  const fault = faultOf(error, text);
  const where = `line ${fault.line}, column ${fault.column}`;
  const causes = [{ field: 'query', ...fault }];
  return new ApiError('BadRequest', `the query, ${where}: ${fault.message}`, { causes });
}

async function devicesIn(reading: Reading, asked: Asked): Promise<readonly string[]> {
  const { query, namespace, now, after, limit } = asked;
  const { sql } = reading;
  const catalog = await catalogIn(reading);
  const { targets } = updateIn(query, catalog, now);
  const within = {
    op: 'compare',
    kind: 'bool',
    by: '=',
    mode: 'text',
    left: { op: 'column', kind: 'text', name: 'namespace' },
    right: { op: 'literal', kind: 'text', value: namespace },
  } as const;
  const items = targets.where === undefined ? [within] : [within, targets.where];
  const select = { ...targets, where: { op: 'and', kind: 'bool', items } } as const;
  const start = await startOf(reading, select, catalog);
  const compiled = compileSelect(select, {
    dialect: sql.dialect,
    catalog,
    limit: limit - 1,
    ...(after !== '' && { after: [after] }),
    ...(start && { start }),
  });
  const rows = await sql.all<Record<string, SqlValue>>(compiled.text, ...compiled.values);
  return rows.map((row) => compiled.row(row)[0]).filter((id) => typeof id === 'string');
}

/** The shortest way to all rows of the answer, where one is short. */
async function startOf({ sql }: Reading, select: CheckedUpdate['targets'], catalog: SqlCatalog) {
  let best:
    | { readonly rows: number; readonly start: ReturnType<typeof candidatesFor>[number] }
    | undefined;
  for (const candidate of candidatesFor(select, catalog)) {
    const { text, values } = candidate.count(sql.dialect, catalog, best?.rows ?? WORTH);
    const rows = (await one(sql.all<{ n: number }>(text, ...values)))?.n ?? WORTH;
    if (rows < (best?.rows ?? WORTH)) best = { rows, start: candidate };
  }
  return best?.start;
}
