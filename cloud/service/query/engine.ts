/**
 * Answers queries from a database: parses, checks, counts where to start, refuses what costs too much, asks, and tells how long
 * it took. Knows no process and no socket: it runs in the service, and beside SQLite in processes of their own for what takes long.
 */
import {
  type Candidate,
  candidatesFor,
  type CompiledQuery,
  compileSelect,
  pageOf,
  parse,
  prepare,
  type Prepared,
  QueryError,
  type QueryPage,
  type QueryRequest,
  type SqlCatalog,
} from '#protocol/query';
import { API_VERSION } from '@limpet/dmi/manifest';
import type { QueryPlan, QueryResult } from '#protocol/api';
import { asOf, pastSpan, type PastSpan } from '../history/as-of.ts';
import type { Sql } from '../store/sql.ts';
import { CatalogReader } from './catalog.ts';

export interface EngineOptions {
  /** Committed state, all of it as of one moment. */
  read<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  readonly now: () => number;
  readonly monotonic: () => number;
  /** Rows that a query may read and look up, about. */
  readonly costCeiling: number;
  /** Answers only what starts at devices that it names, with no more rows than these: see {@link Many}. */
  readonly named?: number;
  /** From here on the database's plan is told with the answer. */
  readonly slowMs: number;
}

/** `plan`: of a query that took long. */
export interface Answered {
  readonly answer: QueryResult | QueryPlan;
  readonly tookMs: number;
  readonly plan?: readonly string[];
}

/** It does not name a few devices: it is for an engine that takes anything. */
export class Many extends Error {}

/** More rows than this are not counted one by one. */
const COUNTED = 100_000;

export class QueryEngine {
  readonly #options: EngineOptions;
  readonly #catalog: CatalogReader;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#catalog = new CatalogReader(options.named === undefined);
  }

  /** @throws QueryError, Many */
  answer(request: QueryRequest): Promise<Answered> {
    const began = this.#options.monotonic();
    return this.#options.read((sql) => this.#answerIn(sql, request, began));
  }

  async #answerIn(sql: Sql, request: QueryRequest, began: number): Promise<Answered> {
    const { monotonic, slowMs, costCeiling: ceiling } = this.#options;
    const version = await versionOf(sql);
    const asked = await this.#compiled(sql, request);
    const { cost, compiled } = asked;
    if (asked.prepared.query.explain) {
      const answer = await explained(sql, asked, ceiling);
      return { answer, tookMs: monotonic() - began };
    }
    refuseCostly(cost, ceiling);
    const page = await pageIn(sql, request, asked);
    const tookMs = monotonic() - began;
    const { columns, rows, continue: next } = page;
    const metadata = {
      resourceVersion: String(version),
      ...(next && { continue: next }),
      tookMs: Math.round(tookMs * 10) / 10,
    };
    const answer = {
      apiVersion: API_VERSION,
      kind: 'QueryResult',
      columns,
      rows,
      metadata,
    } as const;
    if (tookMs < slowMs) return { answer, tookMs };
    return { answer, tookMs, plan: await planOf(sql, compiled) };
  }

  async #compiled(sql: Sql, request: QueryRequest): Promise<Asked> {
    const { named } = this.#options;
    const now = this.#options.now();
    const catalog = await this.#catalog.read(sql, now);
    const prepared = prepare(request, catalog, now);
    const { after, limit, query } = prepared;
    const past = await pastOf(sql, prepared, request.query);
    const ways = { prepared, catalog };
    const start = await (named === undefined ? startOf(sql, ways) : namedStart(sql, ways, named));
    const { dialect } = sql;
    const compiled = compileSelect(query, {
      dialect,
      catalog,
      limit,
      ...(after && { after }),
      ...(start.candidate && { start: start.candidate }),
      ...(past && { past: (place) => asOf(dialect, past, { time: query.asOf ?? 0, place }) }),
    });
    const rows = start.rows ?? catalog.rows[query.source];
    return { prepared, compiled, start, rows, cost: rows * (1 + compiled.joined) };
  }
}

interface Asked {
  readonly prepared: Prepared;
  readonly compiled: CompiledQuery;
  readonly start: Start;
  readonly rows: number;
  readonly cost: number;
}

interface Ways {
  readonly prepared: Prepared;
  readonly catalog: SqlCatalog;
}

async function counted(
  sql: Sql,
  candidate: Candidate,
  { catalog, most }: { readonly catalog: SqlCatalog; readonly most: number },
): Promise<number> {
  const { text, values } = candidate.count(sql.dialect, catalog, most);
  const [found] = await sql.all<{ n: number }>(text, ...values);
  return Number(found?.n ?? 0);
}

/** @throws Many */
async function namedStart(sql: Sql, { prepared, catalog }: Ways, most: number): Promise<Start> {
  const { query } = prepared;
  const candidate = candidatesFor(query, catalog).find(({ named }) => named);
  if (candidate === undefined || query.explain) throw new Many();
  const rows = await counted(sql, candidate, { catalog, most: most + 1 });
  if (rows > most) throw new Many();
  return { candidate, rows };
}

/** The fewest rows to start with: counted, for each index that could tell them. */
async function startOf(sql: Sql, { prepared, catalog }: Ways): Promise<Start> {
  let best: Start = {};
  for (const candidate of candidatesFor(prepared.query, catalog)) {
    const most = best.rows ?? COUNTED;
    const rows = await counted(sql, candidate, { catalog, most });
    if (best.candidate === undefined || rows < most) best = { candidate, rows };
  }
  // So many or more: as many as there are.
  return best.candidate && best.rows === COUNTED ? { candidate: best.candidate } : best;
}

/** `rows`: undefined where it is all, or more than were counted. */
interface Start {
  readonly candidate?: Candidate;
  readonly rows?: number;
}

async function pageIn(sql: Sql, request: QueryRequest, asked: Asked): Promise<QueryPage> {
  const { prepared, compiled } = asked;
  const { text, values } = compiled;
  const found = await sql.all<Readonly<Record<string, string | number | null>>>(text, ...values);
  const told = found.slice(0, prepared.limit);
  const last = told.at(-1);
  const more = found.length > told.length && last !== undefined;
  return pageOf(request.query, prepared, {
    rows: told.map((row) => compiled.row(row)),
    last: more ? compiled.keys(last) : undefined,
  });
}

async function explained(sql: Sql, asked: Asked, ceiling: number): Promise<QueryPlan> {
  const { prepared, compiled, start, rows, cost } = asked;
  const plan = await planOf(sql, compiled);
  const steps = stepsOf(prepared, start, { rows, joined: compiled.joined });
  const estimate = { rows, cost, ceiling };
  return { apiVersion: API_VERSION, kind: 'QueryPlan', steps, estimate, sql: compiled.text, plan };
}

async function versionOf(sql: Sql): Promise<number> {
  const [line] = await sql.all<{ last: number }>('SELECT last FROM line');
  return Number(line?.last ?? 0);
}

/** @throws QueryError where the time is from before all that is kept */
async function pastOf(sql: Sql, { query }: Prepared, text: string): Promise<PastSpan | undefined> {
  if (query.asOf === undefined) return undefined;
  const past = await pastSpan(sql);
  if (past === undefined || past.since <= query.asOf) return past;
  const message = `AS OF: what is kept of the past begins at ${new Date(past.since).toISOString()}`;
  const tree = parse(text);
  const span = (tree.kind === 'select' && tree.asOf) || { offset: 0, length: 0 };
  throw new QueryError('QUERY_VALUE', message, { span });
}

function refuseCostly(cost: number, ceiling: number): void {
  if (cost <= ceiling) return;
  const message = `this query would read about ${cost} rows, and ${ceiling} is the most: name a model, a node, a label, or a narrower range of a property; EXPLAIN tells where it starts`;
  throw new QueryError('QUERY_TOO_COSTLY', message, { span: { offset: 0, length: 0 } });
}

interface Statement {
  readonly text: string;
  readonly values: readonly (string | number | null)[];
}

async function planOf(sql: Sql, { text, values }: Statement): Promise<readonly string[]> {
  if (sql.dialect === 'sqlite') {
    const rows = await sql.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${text}`, ...values);
    return rows.map(({ detail }) => detail);
  }
  const rows = await sql.all<Readonly<Record<string, string>>>(`EXPLAIN ${text}`, ...values);
  return rows.map((row) => row['QUERY PLAN'] ?? '');
}

function stepsOf(
  { query }: Prepared,
  start: Start,
  { rows, joined }: { readonly rows: number; readonly joined: number },
): readonly string[] {
  const from = start.candidate?.index ?? `all ${query.source}`;
  return [
    `start at ${from}: about ${rows} rows`,
    ...(joined > 0 ? [`look into ${joined} more tables for each`] : []),
    ...(query.asOf === undefined ? [] : [`as of ${new Date(query.asOf).toISOString()}`]),
    ...(query.where ? ['keep what WHERE keeps'] : []),
    ...(query.grouped ? [`put together by ${query.groups.length} values`] : []),
    query.order.length > 0
      ? 'sort as ORDER BY says, then by what tells rows apart'
      : 'in order of what tells rows apart',
  ];
}
