/** Aggregates and plain columns in one query: what is not aggregated has to be grouped by. */
import { QueryError, type Span } from './error.ts';
import type { SelectTree } from './tree.ts';
import type { CheckedSelect, Value } from './typed.ts';

interface Outputs {
  readonly columns: CheckedSelect['columns'];
  readonly groups: readonly Value[];
  readonly having: Value | undefined;
  readonly order: CheckedSelect['order'];
}

/** @throws QueryError QUERY_GROUP, QUERY_TYPE */
export function checkGroups(
  tree: SelectTree,
  outputs: Outputs,
): Pick<CheckedSelect, 'grouped' | 'groups'> {
  const columns = placed(outputs.columns, tree.items, tree);
  const order = placed(
    outputs.order,
    tree.orderBy.map(({ by }) => by),
    tree,
  );
  const aggregated = [...columns, ...order].some(({ value }) => holdsAggregate(value));
  if (aggregated || tree.groupBy.length > 0) refuseDistinct(tree);
  const groups = tree.distinct
    ? columns
    : placed(
        outputs.groups.map((value) => ({ value })),
        tree.groupBy,
        tree,
      );
  for (const { value, span } of [...groups, ...order]) refuseJson(value, span);
  const having =
    outputs.having && tree.having ? [{ value: outputs.having, span: tree.having }] : [];
  const grouped = aggregated || groups.length > 0 || having.length > 0;
  if (grouped) {
    const known = new Set(groups.map(({ value }) => keyOf(value)));
    for (const { value, span } of [...columns, ...having, ...order])
      expectGrouped(value, known, span);
  }
  return { grouped, groups: groups.map(({ value }) => value) };
}

function refuseDistinct({ distinct, items, source }: SelectTree): void {
  if (!distinct) return;
  const message = 'DISTINCT and groups do not go together: groups are distinct already';
  throw new QueryError('QUERY_GROUP', message, { span: items[0] ?? source });
}

interface Placed {
  readonly value: Value;
  readonly span: Span;
}

/** Values with the places they were written at; those of `*` are at its. */
function placed(
  values: readonly { readonly value: Value }[],
  spans: readonly Span[],
  tree: SelectTree,
): readonly Placed[] {
  return values.map(({ value }, index) => ({
    value,
    span: spans[index] ?? spans.at(-1) ?? tree.source,
  }));
}

/** Two values of the same key are the same value. */
export function keyOf(value: Value): string {
  return JSON.stringify(value);
}

/** The values that a value is made of. */
export function partsOf(value: Value): readonly Value[] {
  if (value.op === 'and' || value.op === 'or') return value.items;
  if (value.op === 'compare') return [value.left, value.right];
  if (value.op === 'aggregate') return value.of === undefined ? [] : [value.of];
  return OF_ONE.has(value.op) ? [(value as Value & { readonly of: Value }).of] : [];
}

const OF_ONE: ReadonlySet<string> = new Set(['not', 'isnull', 'in', 'like', 'truth']);

function holdsAggregate(value: Value): boolean {
  return value.op === 'aggregate' || partsOf(value).some((part) => holdsAggregate(part));
}

function expectGrouped(value: Value, known: ReadonlySet<string>, span: Span): void {
  if (value.op === 'aggregate' || value.op === 'literal' || known.has(keyOf(value))) return;
  const parts = partsOf(value);
  if (parts.length === 0) {
    const message =
      'this is neither aggregated nor grouped by: add it to GROUP BY, or take its min() or max()';
    throw new QueryError('QUERY_GROUP', message, { span });
  }
  for (const part of parts) expectGrouped(part, known, span);
}

function refuseJson(value: Value, span: Span): void {
  if (value.kind !== 'json') return;
  throw new QueryError(
    'QUERY_TYPE',
    'a JSON object has no order and makes no groups: name a part of it',
    { span },
  );
}
