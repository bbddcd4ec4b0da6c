/**
 * A checked query as one parameterised statement. Its texts are constants of this program: all that a user or a device
 * says is a value beside it.
 */
import type { Json } from '@limpet/dmi';
import { keyOf, partsOf } from '../check-groups.ts';
import { QueryError } from '../error.ts';
import { isJsonish, type Keys, type SortKey, sortKeys } from '../order.ts';
import { isoOf } from '../times.ts';
import type { Aggregate, CheckedSelect, Value } from '../typed.ts';
import { aggregateSql } from './aggregates.ts';
import type { SqlCatalog } from './catalog.ts';
import { conditionIn, type Ground, partsIn } from './conditions.ts';
import { type Dialect, Params, type Parts, type SqlValue } from './dialect.ts';
import { afterKeys } from './keyset.ts';
import { leafParts, plain } from './leaves.ts';
import type { Candidate } from './starts.ts';
import { Tables } from './tables.ts';

export interface CompileOptions {
  readonly dialect: Dialect;
  readonly catalog: SqlCatalog;
  readonly after?: Keys;
  /** How many rows are wanted; one more is asked for, to know whether there are more. */
  readonly limit: number;
  /** Where to start to read; see `candidatesFor`. */
  readonly start?: Candidate;
  /** The tables as they were at the time that is bound to a place: `WITH …`. Only where history is kept. */
  readonly past?: (place: string) => string;
}

export interface CompiledQuery {
  readonly text: string;
  readonly values: readonly SqlValue[];
  /** Tables that are looked into for each row, beside the first. */
  readonly joined: number;
  /** A row as the answer shows it. @throws QueryError QUERY_RANGE */
  row(found: Readonly<Record<string, SqlValue>>): readonly Json[];
  /** The keys of a row, to go on after it. */
  keys(found: Readonly<Record<string, SqlValue>>): Keys;
}

/** @throws QueryError QUERY_UNSUPPORTED */
export function compileSelect(query: CheckedSelect, options: CompileOptions): CompiledQuery {
  expectPast(query, options);
  const params = new Params(options.dialect);
  const tables = new Tables(query.source, params, options.catalog);
  const { source, now } = query;
  const ground: Ground = {
    params,
    parts: (value) => {
      if (value.op === 'aggregate') throw new Error('an aggregate outside of groups');
      return leafParts({ source, params, tables, now }, value);
    },
  };
  const start = options.start?.start(tables, params);
  const where = query.where === undefined ? '' : ` AND ${conditionIn(ground, query.where)}`;
  const rows = () => `${tables.from(start)}${where}`;
  const outer = query.grouped ? groupsIn(query, ground, rows) : { ground, from: rows };
  const order = sortKeys(query).map((key) => ({ ...key, sql: keySql(outer.ground, key) }));
  const columns = query.columns.map(
    ({ value }, index) => `${cast(params, value, output(outer.ground, value))} AS c${index}`,
  );
  const keys = order.map(
    ({ sql, part }, index) => `${part === 'number' ? number(params, sql) : sql} AS k${index}`,
  );
  const having =
    query.having === undefined ? '' : ` AND ${conditionIn(outer.ground, query.having)}`;
  const after =
    options.after === undefined ? '' : ` AND ${afterKeys(order, options.after, params)}`;
  const by = order.map(({ sql, descending }) => `${sql}${descending ? ' DESC' : ''}${nulls(sql)}`);
  const orderBy = by.length === 0 ? '' : ` ORDER BY ${by.join(', ')}`;
  const limit = ` LIMIT ${params.whole(options.limit + 1)}`;
  const past = query.asOf === undefined ? '' : `${options.past?.(params.whole(query.asOf))} `;
  const text = `${past}SELECT ${[...columns, ...keys].join(', ')} ${outer.from()}${having}${after}${orderBy}${limit}`;
  return {
    ...compact(text, params.values),
    joined: tables.joined,
    row: (found) =>
      query.columns.map(({ value }, index) => shown(value, found[`c${index}`] ?? null)),
    keys: (found) => order.map((_, index) => found[`k${index}`] ?? null),
  };
}

/** Without parameters that stand nowhere: PostgreSQL would not know their types. */
function compact(
  text: string,
  values: readonly SqlValue[],
): Pick<CompiledQuery, 'text' | 'values'> {
  const kept = new Map<string, number>();
  const said = text.replaceAll(/\$(\d+)/g, (_, place: string) => {
    const known = kept.get(place) ?? kept.size + 1;
    kept.set(place, known);
    return `$${known}`;
  });
  return { text: said, values: [...kept.keys()].map((place) => values[Number(place) - 1] ?? null) };
}

function expectPast({ asOf }: CheckedSelect, { past }: CompileOptions): void {
  if (asOf === undefined || past !== undefined) return;
  const span = { offset: 0, length: 0 };
  throw new QueryError('QUERY_UNSUPPORTED', 'AS OF: no history of the fleet is kept here', {
    span,
  });
}

/** What tells devices apart is never NULL, and so can be read in order from its index. */
function nulls(sql: string): string {
  return sql === 'o.id' || sql === 'pn.name' ? '' : ' NULLS LAST';
}

function keySql(ground: Ground, { value, part }: SortKey): string {
  const parts = partsIn(ground, value);
  return part === 'number' ? parts.number() : part === 'text' ? parts.text() : parts.json();
}

/** How a value travels: what holds JSON as its text, the rest as what it is. */
function output(ground: Ground, value: Value): string {
  const parts = partsIn(ground, value);
  if (isJsonish(value) || value.kind === 'json') return parts.json();
  return value.kind === 'text' ? parts.text() : parts.number();
}

function cast(params: Params, value: Value, sql: string): string {
  return isJsonish(value) || value.kind === 'json' || value.kind === 'text'
    ? sql
    : number(params, sql);
}

/** PostgreSQL hands out bigint as text. */
function number(params: Params, sql: string): string {
  return params.dialect === 'postgres' ? `(${sql})::float8` : sql;
}

function shown(value: Value, found: SqlValue): Json {
  if (found === null) return null;
  if (isJsonish(value) || value.kind === 'json') return JSON.parse(String(found)) as Json;
  if (value.kind === 'time') return isoOf(Number(found));
  if (value.kind === 'bool') return found !== 0;
  if (typeof found !== 'number' || Number.isFinite(found)) return found;
  const span = { offset: 0, length: 0 };
  throw new QueryError('QUERY_RANGE', 'the numbers add up to more than a number can be', { span });
}

interface Outer {
  readonly ground: Ground;
  readonly from: () => string;
}

/** Groups and their aggregates as a table of its own, so that what is made of them is made of its columns. */
function groupsIn(query: CheckedSelect, ground: Ground, rows: () => string): Outer {
  const columns: string[] = [];
  const by: string[] = [];
  const known = new Map<string, Parts>();
  for (const [index, value] of query.groups.entries()) {
    const group = partsIn(ground, value);
    const key = isJsonish(value)
      ? group.json()
      : value.kind === 'text'
        ? group.text()
        : group.number();
    by.push(key);
    columns.push(`${key} AS g${index}`);
    known.set(
      keyOf(value),
      isJsonish(value) ? jsonGroup(columns, index, group) : plain(`g.g${index}`),
    );
  }
  const aggregates = new Map<string, Parts>();
  for (const [index, aggregate] of aggregatesOf(query).entries()) {
    columns.push(`${aggregateSql(ground, aggregate)} AS a${index}`);
    aggregates.set(keyOf(aggregate), plain(`g.a${index}`));
  }
  if (columns.length === 0) columns.push('1 AS one');
  const from = () => {
    const groupBy = by.length === 0 ? '' : ` GROUP BY ${by.join(', ')}`;
    return `FROM (SELECT ${columns.join(', ')} ${rows()}${groupBy}) g WHERE (1 = 1)`;
  };
  return {
    from,
    ground: {
      params: ground.params,
      known: (key) => known.get(key),
      parts: (value) => aggregates.get(keyOf(value)) ?? ground.parts(value),
    },
  };
}

/** One group holds one value: any row tells its number and its text. */
function jsonGroup(columns: string[], index: number, group: Parts): Parts {
  columns.push(`min(${group.number()}) AS n${index}`, `min(${group.text()}) AS t${index}`);
  return {
    number: () => `g.n${index}`,
    text: () => `g.t${index}`,
    json: () => `g.g${index}`,
    presence: () => `g.g${index}`,
  };
}

function aggregatesOf({ columns, having, order }: CheckedSelect): readonly Aggregate[] {
  const found = new Map<string, Aggregate>();
  const look = (value: Value): void => {
    if (value.op === 'aggregate') found.set(keyOf(value), value);
    else for (const part of partsOf(value)) look(part);
  };
  for (const { value } of [...columns, ...order]) look(value);
  if (having) look(having);
  return [...found.values()];
}
