/** What a text asks to stand for: what its rows are told apart by, and what can change them. Pure. */
import type { Json } from '@limpet/dmi';
import type { RowKey } from '#protocol/api';
import {
  check,
  type CheckedSelect,
  type Column,
  identityOf,
  leavesOf,
  parse,
  QueryError,
  type Source,
  type SqlCatalog,
  type Tree,
  type Value,
  valuesOf,
} from '#protocol/query';

export type SelectTree = Tree & { readonly kind: 'select' };

/** A row is looked at by itself, or all of them together. */
type Mode = 'rows' | 'whole';

export interface Plan {
  readonly query: CheckedSelect;
  /** As asked for; the columns of `query` end with those that tell rows apart. */
  readonly columns: readonly Column[];
  /** Columns whose values move by themselves: a row does not change by them. */
  readonly moving: ReadonlySet<number>;
  readonly source: Source;
  readonly mode: Mode;
  /** Rows come and go by time alone. */
  readonly clocked: boolean;
  /** Rows show what nodes are: their facts or labels. */
  readonly ofNodes: boolean;
  /** The order of the rows means something. */
  readonly ordered: boolean;
}

/** @throws QueryError */
export function parseStanding(text: string): SelectTree {
  const tree: Tree = parse(text);
  if (tree.kind === 'update') throw unsupported('an UPDATE does not stand: WATCH takes a SELECT');
  if (tree.explain) throw unsupported('EXPLAIN does not stand: leave out WATCH, or EXPLAIN');
  if (tree.asOf !== undefined) {
    throw unsupported('WATCH is about what comes: leave out AS OF', tree.asOf);
  }
  return { ...tree, watch: false };
}

/** @throws QueryError */
export function planOf(
  tree: SelectTree,
  text: string,
  { catalog, now }: { readonly catalog: SqlCatalog; readonly now: number },
): Plan {
  const checked = check(tree, { catalog, now, text });
  if (checked.kind === 'update') throw unsupported('an UPDATE does not stand');
  const { source, columns, grouped, limit, order, where, having } = checked;
  const telling = identityOf(checked).map((value) => ({ name: '', type: 'json' as const, value }));
  const moving = columns.flatMap(({ value }, index) => (isMoving(value, source) ? [index] : []));
  const ordered = order.length > 0 || limit !== undefined;
  // Where rows are groups, what they show is told of like any change: once a tick at most.
  const deciding = grouped
    ? valuesOf(checked)
    : [where, having, ...order.map(({ value }) => value)].filter((value) => value !== undefined);
  return {
    query: { ...checked, columns: [...columns, ...telling] },
    columns: columns.map(({ name, type, unit }) => ({
      name,
      type,
      ...(unit !== undefined && { unit }),
    })),
    moving: new Set(grouped ? [] : moving),
    source,
    mode: grouped || ordered ? 'whole' : 'rows',
    clocked: usesNow(tree) || deciding.some((value) => isMoving(value, source)),
    ofNodes: valuesOf(checked).some((value) => leavesOf(value).some((leaf) => isOfNode(leaf))),
    ordered,
  };
}

/** The values that tell a row apart, out of the row that `query` gives. */
export function keyIn({ columns }: Plan, row: readonly Json[]): RowKey {
  return row.slice(columns.length);
}

/** What the row's digest is of. */
export function steady({ columns, moving }: Plan, row: readonly Json[]): readonly Json[] {
  const shown = row.slice(0, columns.length);
  return moving.size === 0 ? shown : shown.filter((_, index) => !moving.has(index));
}

/** Whose row it is: '' for a group. */
export function ownerOf({ source, query }: Plan, key: RowKey): string {
  if (query.grouped) return '';
  const words = key as readonly string[];
  return source === 'models' ? words.join('/') : (words[0] ?? '');
}

/** A key as text, which is the owner's where that has one row only. */
export function textOfKey(plan: Plan, key: RowKey): string {
  const many = plan.query.grouped || plan.source === 'properties';
  return many ? JSON.stringify(key) : ownerOf(plan, key);
}

export function ownerOfText({ source, query }: Plan, text: string): string {
  if (query.grouped) return '';
  return source === 'properties' ? ((JSON.parse(text) as readonly string[])[0] ?? '') : text;
}

export function keyOfText({ source, query }: Plan, text: string): RowKey {
  if (query.grouped || source === 'properties') return JSON.parse(text) as RowKey;
  return source === 'models' ? text.split('/') : [text];
}

/** Ages move with time, and when a node was last heard with each of its reports. */
function isMoving(value: Value, source: Source): boolean {
  const heard = source === 'nodes' ? 'last_seen' : 'node.last_seen';
  return leavesOf(value).some((leaf) => {
    return leaf.op === 'state' ? leaf.state === 'age' : leaf.op === 'column' && leaf.name === heard;
  });
}

function isOfNode(leaf: ReturnType<typeof leavesOf>[number]): boolean {
  return leaf.op === 'fact' || (leaf.op === 'label' && leaf.of === 'node');
}

function usesNow(tree: unknown): boolean {
  if (typeof tree !== 'object' || tree === null) return false;
  const { kind, name } = tree as { readonly kind?: unknown; readonly name?: unknown };
  if (kind === 'call' && typeof name === 'string' && name.toLowerCase() === 'now') return true;
  return Object.values(tree).some((part) => usesNow(part));
}

function unsupported(message: string, span = { offset: 0, length: 0 }): QueryError {
  return new QueryError('QUERY_UNSUPPORTED', message, { span });
}
