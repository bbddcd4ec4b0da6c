/**
 * Where a query could start to read: every condition that an index answers alone, and that all rows of the answer meet.
 * How many rows each gives is counted before the query runs, for indexes make that cheap; the fewest win.
 */
import { likeParts, likePrefix } from '../like.ts';
import type { CheckedSelect, Condition, Leaf, Value } from '../typed.ts';
import type { SqlCatalog } from './catalog.ts';
import { columnCandidate, counting } from './column-starts.ts';
import { type Dialect, Params, type SqlValue } from './dialect.ts';
import type { Start, Tables } from './tables.ts';

export interface Candidate {
  /** In words, for EXPLAIN. */
  readonly index: string;
  /** The property that every row then has, by name. */
  readonly property?: string;
  /** It is devices that the query names one by one. */
  readonly named?: true;
  /** `n`: how many rows, at most `most`. */
  count(
    dialect: Dialect,
    catalog: SqlCatalog,
    most: number,
  ): { readonly text: string; readonly values: readonly SqlValue[] };
  start(tables: Tables, params: Params): Start;
}

/** Candidates for a query; none where it reads all rows anyway. */
export function candidatesFor(query: CheckedSelect, catalog: SqlCatalog): readonly Candidate[] {
  // What is counted here is the present.
  if (query.asOf !== undefined) return [];
  const { source, where } = query;
  if (source === 'nodes' || source === 'models') return [];
  const conjuncts = where === undefined ? [] : where.op === 'and' ? flat(where) : [where];
  const byColumns = conjuncts
    .map((value) => columnCandidate(source, value))
    .filter((each) => each !== undefined);
  if (source === 'properties') return ofValuesAlone(query) ? [ALL_MIRRORS] : byColumns;
  const found = [...conjuncts.flatMap((value) => candidatesOf(value, catalog)), ...byColumns];
  const only = onlyProperty(query);
  if (only === undefined) return found;
  return where === undefined ? [mirrorsAlone(only)] : [...found, propertyCandidate(only, ALL)];
}

function flat(value: Condition & { readonly op: 'and' | 'or' }): readonly Value[] {
  return value.items.flatMap((item) => (item.op === 'and' ? flat(item) : [item]));
}

function candidatesOf(value: Value, catalog: SqlCatalog): readonly Candidate[] {
  const of = decidedBy(value);
  const candidate = of && leafCandidate(of, value, catalog);
  return candidate === undefined ? [] : [candidate];
}

/** What a row has to have to meet the condition. */
function decidedBy(value: Value): Value | undefined {
  if (value.op === 'in' || value.op === 'like' || value.op === 'truth') return value.of;
  if (value.op === 'state') return value.state === 'drift' ? value : undefined;
  if (value.op === 'not') return value.of.op === 'isnull' ? present(value.of.of) : undefined;
  if (value.op !== 'compare') return undefined;
  const { left, right } = value;
  if (left.op === 'literal') return right;
  return right.op === 'literal' ? left : undefined;
}

function present(value: Value): Value | undefined {
  return isLeaf(value) ? value : undefined;
}

function isLeaf({ op }: Value): boolean {
  return op === 'property' || op === 'label' || op === 'desired';
}

function leafCandidate(of: Value, by: Value, catalog: SqlCatalog): Candidate | undefined {
  if (of.op === 'property' && of.of !== 'row') {
    return propertyCandidate(of.of.name, of.path.length > 0 ? ALL : readOf(by));
  }
  if (of.op === 'desired') return desiredCandidate(of);
  if (of.op === 'label' && of.of === 'row') return labelCandidate(of.key, by);
  if (of.op === 'state') return stateCandidate(of, by);
  return of.op === 'column' && of.name === 'model' ? modelCandidate(by, catalog) : undefined;
}

/** What of an index is read: `reads` is SQL of constants and of `?`, which stand for `values`. */
interface Read {
  readonly index: string;
  readonly reads: string;
  readonly values?: readonly (string | number)[];
}

const ALL: Read = { index: 'mirrors_num', reads: '' };

function readOf(by: Value): Read {
  if (by.op === 'compare') return comparedRead(by);
  if (by.op === 'like') return likeRead(by.pattern);
  if (by.op !== 'in') return ALL;
  const places = by.items.map(() => '?').join(', ');
  const [index, column] = by.mode === 'text' ? ['mirrors_text', 'text'] : ['mirrors_num', 'num'];
  return { index, reads: `${column} IN (${places})`, values: by.items };
}

function comparedRead({ by, mode, left, right }: Condition & { readonly op: 'compare' }): Read {
  const literal = right.op === 'literal' ? right : left.op === 'literal' ? left : undefined;
  if (literal === undefined || mode === 'any' || by === '<>') return ALL;
  const op = literal === right ? by : TURNED[by];
  const value = typeof literal.value === 'boolean' ? Number(literal.value) : literal.value;
  if (mode === 'text') return { index: 'mirrors_text', reads: `text ${op} ?`, values: [value] };
  return { index: 'mirrors_num', reads: `num ${op} ?`, values: [value] };
}

const TURNED = { '=': '=', '<>': '<>', '<': '>', '<=': '>=', '>': '<', '>=': '<=' } as const;

/** Whatever begins with what the pattern begins with: up to the greatest character. */
function likeRead(pattern: string): Read {
  const prefix = likePrefix(likeParts(pattern));
  if (prefix === '') return { index: 'mirrors_text', reads: 'text IS NOT NULL' };
  return {
    index: 'mirrors_text',
    reads: 'text >= ? AND text <= ?',
    values: [prefix, `${prefix}\u{10FFFF}`],
  };
}

/** The SQL of a read, with its values as parameters. */
function written({ reads, values = [] }: Read, alias: string, params: Params): string {
  if (reads === '') return '';
  let index = 0;
  const text = reads.replaceAll(/\?|\b(num|text|quality|verdict|value)\b/g, (token) => {
    if (token !== '?') return `${alias}.${token}`;
    const value = values[index++] ?? '';
    return typeof value === 'number' ? params.number(value) : params.text(value);
  });
  return ` AND ${text}`;
}

function propertyCandidate(name: string, read: Read): Candidate {
  return {
    index: `${read.index} of ${name}${read.reads === '' ? '' : `, where ${read.reads}`}`,
    property: name,
    count: (dialect, catalog, most) => {
      const params = new Params(dialect);
      const number = params.whole(catalog.number(name) ?? -1);
      const from = `FROM mirrors x WHERE x.prop = ${number}${written(read, 'x', params)}`;
      return counting(from, params, most);
    },
    start: (tables, params) =>
      tables.startAt('p', name, (alias) => ({
        from: `mirrors ${alias} CROSS JOIN objects o`,
        where: `${alias}.prop = ${tables.number(name)}${written(read, alias, params)} AND o.n = ${alias}.dev AND o.kind = 'Device'`,
      })),
  };
}

/** Bad values and orders that were refused have indexes of their own, for they are few. */
function stateCandidate(of: Leaf & { readonly op: 'state' }, by: Value): Candidate | undefined {
  if (of.of === 'row') return undefined;
  const value =
    by.op === 'compare' && by.by === '=' && by.right.op === 'literal' ? by.right.value : undefined;
  const { name } = of.of;
  if (of.state === 'quality' && value === 'bad') {
    return propertyCandidate(name, {
      index: 'mirrors_quality',
      reads: "quality <> 'good' AND quality = 'bad'",
    });
  }
  if (of.state === 'verdict') {
    if (value !== 'rejected' && value !== 'expired') return desiredCandidate(of);
    return propertyCandidate(name, {
      index: 'mirrors_verdict',
      reads: "verdict <> 'applied' AND verdict = ?",
      values: [value],
    });
  }
  return of.state === 'drift' ? driftCandidate(of, by) : propertyCandidate(name, ALL);
}

/** A device that does not drift may have nothing that is desired. */
function driftCandidate(of: Leaf, by: Value): Candidate | undefined {
  return by === of ? desiredCandidate(of) : undefined;
}

function desiredCandidate(of: Leaf): Candidate | undefined {
  if ((of.op !== 'desired' && of.op !== 'state') || of.of === 'row') return undefined;
  const { name } = of.of;
  return {
    index: `desired_property of ${name}`,
    count: (dialect, _, most) => {
      const params = new Params(dialect);
      return counting(`FROM desired x WHERE x.property = ${params.text(name)}`, params, most);
    },
    start: (tables, params) =>
      tables.startAt('d', name, (alias) => ({
        from: `desired ${alias} CROSS JOIN objects o`,
        where: `${alias}.property = ${params.text(name)} AND ${alias}.value <> 'null' AND o.kind = 'Device' AND o.id = ${alias}.device`,
      })),
  };
}

function labelCandidate(key: string, by: Value): Candidate {
  const read = readOf(by);
  const label: Read =
    read.index === 'mirrors_text' && read.reads !== ''
      ? { ...read, reads: read.reads.replaceAll('text', 'value') }
      : ALL;
  return {
    index: `labels_value of ${key}`,
    count: (dialect, _, most) => {
      const params = new Params(dialect);
      const of = params.text(key);
      return counting(
        `FROM labels x WHERE x.key = ${of}${written(label, 'x', params)}`,
        params,
        most,
      );
    },
    start: (tables, params) =>
      tables.startAt('l', `row ${key}`, (alias) => ({
        from: `labels ${alias} CROSS JOIN objects o`,
        where: `${alias}.key = ${params.text(key)}${written(label, alias, params)} AND o.n = ${alias}.n AND o.kind = 'Device'`,
      })),
  };
}

/** Models have namespaces, so that a name may be that of several. */
function modelCandidate(by: Value, catalog: SqlCatalog): Candidate | undefined {
  if (by.op !== 'compare' || by.by !== '=' || by.right.op !== 'literal') return undefined;
  const model = String(by.right.value);
  const namespaces = catalog.namespaces(model);
  if (namespaces.length === 0 || namespaces.length > 100) return undefined;
  const within = (alias: string, params: Params): string =>
    `${alias}.namespace IN (${namespaces.map((each) => params.text(each)).join(', ')}) AND ${alias}.model = ${params.text(model)}`;
  return {
    index: `objects_model of ${model}`,
    count: (dialect, _, most) => {
      const params = new Params(dialect);
      return counting(
        `FROM objects x WHERE x.kind = 'Device' AND ${within('x', params)}`,
        params,
        most,
      );
    },
    start: (_, params) => ({
      from: 'objects o',
      where: `o.kind = 'Device' AND ${within('o', params)}`,
    }),
  };
}

/** All that is asked is in the property's mirrors: devices need not be looked at. */
function mirrorsAlone(name: string): Candidate {
  return {
    ...propertyCandidate(name, ALL),
    start: (tables) =>
      tables.startAt('p', name, (alias) => ({
        from: `mirrors ${alias}`,
        where: `${alias}.prop = ${tables.number(name)}`,
      })),
  };
}

/** What was never reported has no value to count: it need not be told from what was. */
const ALL_MIRRORS: Candidate = {
  index: 'mirrors_num of all properties',
  count: (dialect, _, most) => counting('FROM mirrors x', new Params(dialect), most),
  start: () => ({ from: 'mirrors p', where: '(1 = 1)' }),
};

function ofValuesAlone({ grouped, groups, columns, order, having }: CheckedSelect): boolean {
  if (!grouped || groups.length > 0 || order.length > 0 || having !== undefined) return false;
  return columns.every(({ value }) => value.op === 'aggregate' && value.of?.op === 'property');
}

/** Aggregates of one property over all devices are told by its mirrors alone. */
function onlyProperty({
  grouped,
  groups,
  columns,
  order,
  having,
}: CheckedSelect): string | undefined {
  if (!grouped || groups.length > 0 || order.length > 0 || having !== undefined) return undefined;
  const names = columns.map(({ value }) => {
    const of = value.op === 'aggregate' && value.of?.op === 'property' ? value.of.of : undefined;
    return of === undefined || of === 'row' ? undefined : of.name;
  });
  const [first] = names;
  return first !== undefined && names.every((name) => name === first) ? first : undefined;
}
