/** Columns, properties, labels and facts in SQL. */
import { COLUMNS } from '../columns.ts';
import type { Leaf, PropertyRef, Source } from '../typed.ts';
import { jsonAt, type Params, type Parts, readableJson } from './dialect.ts';
import type { Tables } from './tables.ts';

export interface LeafContext {
  readonly source: Source;
  readonly params: Params;
  readonly tables: Tables;
  readonly now: number;
}

type Table = LeafContext;

export function leafParts(context: LeafContext, leaf: Leaf): Parts {
  const { params, tables } = context;
  switch (leaf.op) {
    case 'literal':
      return plain(literal(params, leaf));
    case 'column':
      return column(context, leaf.name);
    case 'label':
      return plain(`${tables.label(leaf.key, leaf.of)}.value`);
    case 'fact':
      return jsonAt(params, `${tables.node()}.facts`, leaf.path);
    case 'property': {
      const table = tables.property(leaf.of);
      if (leaf.path.length > 0) return jsonAt(params, `${table}.value`, leaf.path);
      return {
        number: () => `${table}.num`,
        text: () => `${table}.text`,
        json: () => `CASE WHEN ${table}.type IS NOT NULL THEN ${table}.value END`,
        presence: () => `${table}.type`,
      };
    }
    case 'desired': {
      const order = `${tables.desired(leaf.of)}.value`;
      const parts = jsonAt(params, order, leaf.path);
      return leaf.path.length > 0 ? parts : { ...parts, json: () => order, presence: () => order };
    }
    case 'state':
      return state(context, leaf);
  }
}

function literal(params: Params, { kind, value }: Leaf & { readonly op: 'literal' }): string {
  if (typeof value === 'string') return params.text(value);
  return kind === 'number' ? params.number(value) : params.whole(Number(value));
}

/** A value that is what it is: number, text, time or duration. */
export function plain(sql: string): Parts {
  return { number: () => sql, text: () => sql, json: () => sql, presence: () => sql };
}

const AWAY = (node: string): string => `COALESCE(${node}.state, '') <> 'online'`;

/** What a property is like; while its node is away nobody knows whether a good value still is. */
function state(
  { tables, params, now }: Table,
  { state: what, of }: Leaf & { readonly op: 'state' },
): Parts {
  const mirror = tables.property(of);
  switch (what) {
    case 'quality': {
      const stale = `${mirror}.quality = 'good' AND ${AWAY(tables.node())}`;
      return plain(`CASE WHEN ${stale} THEN 'stale' ELSE ${mirror}.quality END`);
    }
    case 'reason': {
      const stale = `${mirror}.quality = 'good' AND ${AWAY(tables.node())}`;
      const code = jsonAt(params, `${mirror}.reason`, ['code']).text();
      return plain(`CASE WHEN ${stale} THEN ${nodeReason(tables)} ELSE ${code} END`);
    }
    case 'at':
      return plain(`${mirror}.at`);
    case 'age':
      return plain(`(${params.whole(now)} - ${mirror}.at)`);
    case 'verdict':
      return plain(verdict(tables, of, mirror));
    case 'drift': {
      const order = tables.desired(of);
      const differs = `${mirror}.type IS NULL OR ${mirror}.value <> ${order}.value`;
      return plain(`CASE WHEN ${order}.value IS NOT NULL AND (${differs}) THEN 1 ELSE 0 END`);
    }
  }
}

/** What an edge said of an order counts while that is the present one. */
function verdict(tables: Tables, of: PropertyRef, mirror: string): string {
  const order = tables.desired(of);
  const said = `CASE WHEN ${mirror}.rev = ${order}.rev THEN COALESCE(${mirror}.verdict, 'pending') ELSE 'pending' END`;
  return `CASE WHEN ${order}.value IS NOT NULL THEN ${said} END`;
}

function nodeReason(tables: Tables): string {
  return `CASE WHEN ${tables.progress()}.last_seen IS NULL THEN 'NODE_UNKNOWN' ELSE 'NODE_OFFLINE' END`;
}

type Column = (context: LeafContext) => string;

const doc =
  (...path: string[]): Column =>
  ({ params, tables }) =>
    jsonAt(params, tables.doc(), path).text();

const modelDoc =
  (...path: string[]): Column =>
  ({ params, tables }) =>
    jsonAt(params, tables.modelDoc(), path).text();

const own =
  (column: string): Column =>
  ({ tables }) =>
    `${tables.object()}.${column}`;

const READ: Readonly<Record<string, Column>> = {
  device: own('id'),
  namespace: own('namespace'),
  name: own('name'),
  uid: own('uid'),
  created: ({ tables }) => `(${tables.object()}.created / 1000 * 1000)`,
  description: doc('spec', 'description'),
  labels: ({ params, tables }) =>
    `COALESCE(${jsonAt(params, tables.doc(), ['metadata', 'labels']).json()}, '{}')`,
  model: (context) => own(context.source === 'models' ? 'name' : 'model')(context),
  node: (context) => own(context.source === 'nodes' ? 'name' : 'node')(context),
  state: ({ source, tables }) => {
    if (source === 'nodes') return `COALESCE(${tables.node()}.state, 'offline')`;
    const said = `COALESCE(${tables.condition()}.state, 'connecting')`;
    return `CASE WHEN ${AWAY(tables.node())} THEN 'offline' ELSE ${said} END`;
  },
  reason: ({ params, tables }) => {
    const code = jsonAt(params, `${tables.condition()}.reason`, ['code']).text();
    return `CASE WHEN ${AWAY(tables.node())} THEN ${nodeReason(tables)} ELSE ${code} END`;
  },
  last_seen: ({ source, tables }) =>
    source === 'nodes' ? `${tables.progress()}.last_seen` : `${tables.condition()}.last_seen`,
  'node.state': ({ tables }) => `COALESCE(${tables.node()}.state, 'offline')`,
  'node.last_seen': ({ tables }) => `${tables.progress()}.last_seen`,
  'model.protocol': modelDoc('spec', 'protocol'),
  'model.description': modelDoc('spec', 'description'),
  facts: ({ tables }) => `${tables.node()}.facts`,
  protocol: doc('spec', 'protocol'),
  property: ({ tables }) => `${tables.propertyName()}.name`,
  properties: (context) =>
    context.source === 'models' ? propertyCount(context) : properties(context),
};

function column(context: LeafContext, name: string): Parts {
  const read = Object.hasOwn(COLUMNS[context.source], name) ? READ[name] : undefined;
  if (read === undefined) throw new Error(`no SQL for the column ${name}`);
  return plain(read(context));
}

function properties({ params }: LeafContext): string {
  const from =
    'FROM mirrors x JOIN names xn ON xn.n = x.prop WHERE x.dev = o.n AND x.quality IS NOT NULL';
  if (params.dialect === 'sqlite')
    return `(SELECT json_group_object(xn.name, json(COALESCE(x.value, 'null'))) ${from})`;
  const members = "string_agg(to_json(xn.name)::text || ':' || COALESCE(x.value, 'null'), ',')";
  return `(SELECT '{' || COALESCE(${members}, '') || '}' ${from})`;
}

function propertyCount({ params, tables }: LeafContext): string {
  const doc = tables.doc();
  if (params.dialect === 'sqlite') return `json_array_length(${doc}, '$.spec.properties')`;
  return `json_array_length(${readableJson(doc)} #> '{spec,properties}')`;
}
