/**
 * Rows as they were: each revision of a row of the store with the time from which and until which it was so. Runs inside a
 * transaction.
 */
import type { Row, Sql, SqlValue, Table } from '../store/sql.ts';
import {
  CONDITIONS,
  type ConditionRow,
  DESIRED,
  type DesiredRow,
  NODES,
  type NodeRow,
  OBJECTS,
  type ObjectRow,
} from '../store/tables.ts';

/** Until when the present revision is so. */
export const OPEN = Number.MAX_SAFE_INTEGER;

type Past<R extends Row> = R & { readonly since: number; readonly until: number };

/** A resource with its document. */
export type ObjectPast = ObjectRow & { readonly doc: string };

/** Of a node without how far its streams have come. */
export type NodePast = Omit<NodeRow, 'epoch' | 'stored'> & { readonly last_seen: number };

/** What became of an order, as mirrors have it. */
export interface JudgedPast extends Row {
  readonly dev: number;
  readonly prop: number;
  readonly rev: number | null;
  readonly verdict: string | null;
  readonly verdict_reason: string | null;
  readonly stored: number | null;
  readonly sent: number | null;
  readonly confirmed: number | null;
}

function pastOf<R extends Row>(
  name: string,
  columns: Table<R>['columns'],
  key: readonly (keyof R & string)[],
): Table<Past<R>> {
  return {
    name,
    columns: { ...columns, since: 'integer', until: 'integer' } as Table<Past<R>>['columns'],
    key: [...key, 'until'],
  };
}

const TABLES = {
  objects: pastOf<ObjectPast>('objects_past', { ...OBJECTS.columns, doc: 'text' }, ['n']),
  desired: pastOf<DesiredRow>('desired_past', DESIRED.columns, ['device', 'property']),
  conditions: pastOf<ConditionRow>('conditions_past', CONDITIONS.columns, ['n']),
  nodes: pastOf<NodePast>(
    'nodes_past',
    { name: NODES.columns.name, state: NODES.columns.state, facts: 'text', last_seen: 'integer' },
    ['name'],
  ),
  judged: pastOf<JudgedPast>(
    'judged_past',
    {
      dev: 'integer',
      prop: 'integer',
      rev: 'integer',
      verdict: 'text',
      verdict_reason: 'text',
      stored: 'integer',
      sent: 'integer',
      confirmed: 'integer',
    },
    ['dev', 'prop'],
  ),
} as const;

/** As SQLite spells it. */
export const REVISIONS_SCHEMA = Object.values(TABLES)
  .map(({ name, columns, key }) => {
    const lines = Object.entries(columns).map(([column, type]) => {
      return `${column} ${type.toUpperCase()}${(key as readonly string[]).includes(column) ? ' NOT NULL' : ''}`;
    });
    return `CREATE TABLE ${name} (${lines.join(', ')}, PRIMARY KEY (${key.join(', ')})) WITHOUT ROWID;
      CREATE INDEX ${name}_until ON ${name} (until);`;
  })
  .concat('CREATE INDEX objects_past_id ON objects_past (id);')
  .join('\n');

/** The store tells it of every change of a row that can be asked for as of a time. */
export class Revisions {
  readonly #sql: Sql;
  readonly #now: () => number;

  constructor(sql: Sql, now: () => number) {
    this.#sql = sql;
    this.#now = now;
  }

  /** A resource is so from now on. */
  async object(row: ObjectPast): Promise<void> {
    await this.#put(TABLES.objects, [row]);
  }

  async objectGone(n: number): Promise<void> {
    await this.#gone(TABLES.objects, [n]);
  }

  /** Orders of a device, as they are in the store now. */
  async orders(device: string): Promise<void> {
    const rows = await this.#sql.all<DesiredRow>('SELECT * FROM desired WHERE device = $1', device);
    const present = new Set(rows.map(({ property }) => property));
    const open = await this.#sql.all<{ property: string }>(
      'SELECT property FROM desired_past WHERE device = $1 AND until = $2',
      device,
      OPEN,
    );
    for (const { property } of open) {
      if (!present.has(property)) await this.#gone(TABLES.desired, [device, property]);
    }
    await this.#put(TABLES.desired, rows);
  }

  async conditions(rows: readonly ConditionRow[]): Promise<void> {
    await this.#put(TABLES.conditions, rows, ['last_seen']);
  }

  async node(row: NodePast): Promise<void> {
    await this.#put(TABLES.nodes, [row], ['last_seen', 'facts']);
  }

  async nodeGone(name: string): Promise<void> {
    await this.#gone(TABLES.nodes, [name]);
  }

  async judged(rows: readonly JudgedPast[]): Promise<void> {
    await this.#put(
      TABLES.judged,
      rows.filter(({ rev }) => rev !== null),
    );
  }

  /** What was so until before then is forgotten. */
  async forget(horizon: number): Promise<void> {
    for (const { name } of Object.values(TABLES)) {
      await this.#sql.run(`DELETE FROM ${name} WHERE until < $1`, horizon);
    }
  }

  /** `restless`: columns that move all the time, whose change alone is no revision. */
  async #put<R extends Row>(
    table: Table<Past<R>>,
    rows: readonly R[],
    restless: readonly string[] = [],
  ): Promise<void> {
    if (rows.length === 0) return;
    const now = this.#now();
    const keyOf = (row: R): SqlValue[] =>
      table.key.map((column) => (column === 'until' ? OPEN : (row[column as string] ?? null)));
    const open = await this.#sql.find(
      table,
      rows.map((row) => keyOf(row)),
    );
    const held = new Map(open.map((row) => [JSON.stringify(keyOf(row)), row]));
    const ended: Past<R>[] = [];
    const begun: Past<R>[] = [];
    for (const row of rows) {
      const before = held.get(JSON.stringify(keyOf(row)));
      const columns = Object.keys(row).filter((column) => !restless.includes(column));
      if (before && columns.every((column) => before[column] === row[column])) continue;
      if (before && before.since < now) ended.push({ ...before, until: now });
      begun.push({ ...row, since: now, until: OPEN });
    }
    await this.#sql.put(table, ended);
    await this.#sql.put(table, begun);
  }

  async #gone<R extends Row>(table: Table<Past<R>>, key: readonly SqlValue[]): Promise<void> {
    const [open] = await this.#sql.find(table, [[...key, OPEN]]);
    if (open === undefined) return;
    const where = table.key.map((column, index) => `${column} = $${index + 1}`).join(' AND ');
    await this.#sql.run(`DELETE FROM ${table.name} WHERE ${where}`, ...key, OPEN);
    const until = this.#now();
    if (open.since < until) await this.#sql.put(table, [{ ...open, until }]);
  }
}
