/** A parsed query checked against what there is. */
import { nearest } from '@limpet/dmi/manifest';
import type { Catalog } from './catalog.ts';
import { ExprChecker } from './check-expr.ts';
import { checkGroups } from './check-groups.ts';
import { checkUpdate } from './check-update.ts';
import { STAR } from './columns.ts';
import { resolve } from './check-names.ts';
import { QueryError, quoted, type Span } from './error.ts';
import { QUERY_LIMITS } from './limits.ts';
import { timeOf } from './times.ts';
import type { Expr, Item, SelectTree, Tree } from './tree.ts';
import type { Checked, CheckedSelect, Column, Source, Value } from './typed.ts';

export interface CheckContext {
  readonly catalog: Catalog;
  /** ms since 1970. */
  readonly now: number;
  /** The query's text, from which columns have their names. */
  readonly text: string;
}

const SOURCES: readonly Source[] = ['devices', 'properties', 'nodes', 'models'];

/** @throws QueryError */
export function check(tree: Tree, context: CheckContext): Checked {
  const source = sourceOf(tree.source);
  if (tree.kind === 'select') return checkSelect(tree, source, context);
  if (source !== 'devices') {
    const message = `${source} cannot be updated: UPDATE devices SET desired.x = …`;
    throw new QueryError('QUERY_UNSUPPORTED', message, {
      span: tree.source,
      suggestion: 'devices',
    });
  }
  return checkUpdate(tree, context);
}

type SelectColumn = CheckedSelect['columns'][number];

function checkSelect(tree: SelectTree, source: Source, context: CheckContext): CheckedSelect {
  const asOf = tree.asOf && pastTime(tree.asOf, { source, context });
  const now = asOf ?? context.now;
  const exprs = new ExprChecker({ source, catalog: context.catalog }, now);
  const columns = tree.items.flatMap((item) => columnsOf(item, { source, exprs, context }));
  if (columns.length > QUERY_LIMITS.columns) {
    const message = `a query has at most ${QUERY_LIMITS.columns} columns`;
    throw new QueryError('QUERY_TOO_LARGE', message, { span: tree.items.at(-1) ?? tree.source });
  }
  const where = tree.where && exprs.condition(tree.where, 'WHERE is about single rows; use HAVING');
  const named = (expr: Expr): Value | undefined => outputNamed(expr, tree, columns);
  const groups = tree.groupBy.map(
    (expr) => named(expr) ?? exprs.value(expr, 'groups are made before aggregates'),
  );
  const having = tree.having && exprs.condition(tree.having, true);
  const order = tree.orderBy.map(({ by, descending }) => {
    return { value: named(by) ?? exprs.value(by, true), descending };
  });
  refuseMany(tree);
  const checked: CheckedSelect = {
    kind: 'select',
    watch: tree.watch,
    explain: tree.explain,
    source,
    columns,
    ...(where && { where }),
    ...checkGroups(tree, { columns, groups, having, order }),
    ...(having && { having }),
    order,
    ...limitOf(tree.limit),
    ...(asOf !== undefined && { asOf }),
    now,
    began: context.now,
  };
  return checked;
}

function sourceOf({ name, ...span }: Span & { readonly name: string }): Source {
  const lower = name.toLowerCase();
  const source = SOURCES.find((each) => each === lower);
  if (source !== undefined) return source;
  const near = SOURCES.find((each) => each === `${lower}s`) ?? nearest(lower, SOURCES);
  const hint = near === undefined ? '' : `. Did you mean ${near}?`;
  const message = `nothing called ${quoted(name)} to ask: there are ${SOURCES.join(', ')}${hint}`;
  throw new QueryError('QUERY_NAME', message, { span, suggestion: near });
}

interface Parts {
  readonly source: Source;
  readonly exprs: ExprChecker;
  readonly context: CheckContext;
}

function columnsOf(item: Item, { source, exprs, context }: Parts): readonly SelectColumn[] {
  const { what } = item;
  if (what.kind === 'star') {
    return STAR[source].map((name) => {
      const path = {
        kind: 'name',
        path: [name],
        quoted: false,
        offset: item.offset,
        length: item.length,
      } as const;
      const value = resolve({ source, catalog: context.catalog }, path);
      return { ...shown(name, value, context), value };
    });
  }
  const value = exprs.value(what, true);
  const written = context.text.slice(what.offset, what.offset + what.length);
  const name =
    item.alias ?? (what.kind === 'name' ? what.path.join('.') : written.replaceAll(/\s+/g, ' '));
  return [{ ...shown(name, value, context), value }];
}

function shown(name: string, value: Value, { catalog }: CheckContext): Column {
  if (value.kind === 'any') return { name, type: 'json' };
  if (value.kind === 'duration') return { name, type: 'duration', unit: 'ms' };
  const of = value.op === 'aggregate' && value.fn !== 'count' ? value.of : value;
  const property = of && propertyIn(of);
  const unit = property === undefined ? undefined : catalog.property(property)?.unit;
  return { name, type: value.kind, ...(unit !== undefined && { unit }) };
}

/** The property whose whole value this is. */
function propertyIn(value: Value): string | undefined {
  if (value.op !== 'property' && value.op !== 'desired') return undefined;
  return value.of === 'row' || value.path.length > 0 ? undefined : value.of.name;
}

/** GROUP BY and ORDER BY may name a column of the answer, or give its number. */
function outputNamed(
  expr: Expr,
  tree: SelectTree,
  columns: readonly SelectColumn[],
): Value | undefined {
  if (expr.kind === 'number') {
    const column = Number.isInteger(expr.value) ? columns[expr.value - 1] : undefined;
    if (column !== undefined) return column.value;
    const message = `there is no column ${expr.value}: the answer has ${columns.length}`;
    throw new QueryError('QUERY_VALUE', message, { span: expr });
  }
  if (expr.kind !== 'name' || expr.path.length !== 1) return undefined;
  const alias = tree.items.find((item) => item.alias === expr.path[0])?.alias;
  return alias === undefined ? undefined : columns.find(({ name }) => name === alias)?.value;
}

function refuseMany({ groupBy, orderBy }: SelectTree): void {
  const extra = groupBy[QUERY_LIMITS.groupBy] ?? orderBy[QUERY_LIMITS.orderBy]?.by;
  if (extra === undefined) return;
  const message = `GROUP BY and ORDER BY take at most ${QUERY_LIMITS.groupBy} values`;
  throw new QueryError('QUERY_TOO_LARGE', message, { span: extra });
}

function limitOf(limit: SelectTree['limit']): { readonly limit?: number } {
  if (limit === undefined) return {};
  const { value, ...span } = limit;
  if (Number.isSafeInteger(value)) return { limit: value };
  throw new QueryError('QUERY_VALUE', 'LIMIT takes a whole number', { span });
}

function pastTime(
  expr: Expr,
  { source, context }: { readonly source: Source; readonly context: CheckContext },
): number {
  const { catalog, now } = context;
  const value = new ExprChecker({ source, catalog }, now).value(expr, 'AS OF takes a time');
  const time = value.op === 'literal' ? timeIn(value) : undefined;
  if (time !== undefined && time <= now) return time;
  const message =
    time === undefined
      ? "AS OF takes a time: '2026-11-22T10:00:00Z', or now() - 1h"
      : 'AS OF takes a time that has passed';
  throw new QueryError('QUERY_VALUE', message, { span: expr });
}

function timeIn({ kind, value }: Value & { readonly op: 'literal' }): number | undefined {
  if (kind === 'text') return timeOf(String(value));
  return kind === 'time' ? Number(value) : undefined;
}
