/** `…/query`: a query in the language of LANGUAGE.md, and what it is answered with; `…/queries/slow`: those that took long. */
import type { IncomingMessage } from 'node:http';
import type { Json } from '@limpet/dmi';
import type { API_VERSION, Rollout } from '@limpet/dmi/manifest';
import type { Answer } from './answer.ts';
import type { Backend, Document } from './backend.ts';
import { expectType, parseDocument, readBody } from './body.ts';
import { isName } from './names.ts';
import type { Parameters } from './parameters.ts';
import { ApiError, badRequest } from './status.ts';

/** `rollout`: how the rollout of an UPDATE is to be called; absent where nothing may be changed. `after`: the version of a write that the answer has to know of; `metadata.resourceVersion` of its answer. */
export interface QueryAsked {
  readonly query: string;
  readonly continue?: string;
  readonly after?: number;
  readonly rollout?: { readonly name?: string; readonly namespace?: string };
}

export interface QueryRoute {
  readonly verb: 'query';
  /** Absent: the body says it. `slow`: it is the record of slow ones that is asked for. */
  readonly asked?: QueryAsked | 'slow';
}

/** A page of rows. */
export interface QueryResult {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: 'QueryResult';
  /** `type`: number, text, bool, time (RFC 3339), duration (ms), or json for what only the row tells. */
  readonly columns: readonly {
    readonly name: string;
    readonly type: string;
    readonly unit?: string;
  }[];
  readonly rows: readonly (readonly Json[])[];
  readonly metadata: {
    readonly resourceVersion: string;
    readonly continue?: string;
    readonly tookMs: number;
  };
}

/** How a query would be answered. */
export interface QueryPlan {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: 'QueryPlan';
  /** In words: where reading starts, what is looked up for each row, in which order the answer comes. */
  readonly steps: readonly string[];
  /** Rows read first, and all look-ups together; a query beyond the ceiling is refused. */
  readonly estimate: { readonly rows: number; readonly cost: number; readonly ceiling: number };
  readonly sql?: string;
  /** The database's own plan. */
  readonly plan?: readonly string[];
}

/** An UPDATE is answered with its rollout. */
export type QueryAnswer = QueryResult | QueryPlan | Rollout;

/** The queries that took long, newest first, and when the record began. */
export interface SlowQueries {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: 'SlowQueryList';
  readonly thresholdMs: number;
  readonly items: readonly {
    readonly at: string;
    readonly tookMs: number;
    readonly query: string;
    /** Absent when it was not answered. */
    readonly rows?: number;
    readonly outcome: string;
    readonly plan: readonly string[];
  }[];
}

/** @throws ApiError BadRequest */
export function onQuery(
  method: string,
  { slow }: { readonly slow: boolean },
  parameters: Parameters,
): QueryRoute {
  if (slow) {
    parameters.only([]);
    return { verb: 'query', asked: 'slow' };
  }
  if (method === 'POST') {
    parameters.only([]);
    return { verb: 'query' };
  }
  parameters.only(['query', 'continue', 'after']);
  const query = parameters.text('query');
  if (query === undefined)
    throw badRequest('query parameter query: say what to ask, or POST it as { "query": … }');
  const token = parameters.text('continue');
  const after = parameters.whole('after');
  return {
    verb: 'query',
    asked: {
      query,
      ...(token !== undefined && { continue: token }),
      ...(after !== undefined && { after }),
    },
  };
}

export async function answerQuery(
  backend: Backend,
  { asked }: QueryRoute,
  { answer, request }: { readonly answer: Answer; readonly request: IncomingMessage },
): Promise<void> {
  if (asked === 'slow') return answerSlow(backend, answer);
  if (backend.query === undefined) throw new ApiError('NotFound', 'queries are not answered here');
  const what = asked ?? askedIn(await bodyOf(request));
  const gone = new AbortController();
  const { response } = answer;
  const close = (): void => gone.abort(new Error('the client has gone'));
  response.once('close', close);
  try {
    answer.json(200, await backend.query(what, gone.signal));
  } finally {
    response.off('close', close);
  }
}

function answerSlow(backend: Backend, answer: Answer): void {
  if (backend.slowQueries === undefined)
    throw new ApiError('NotFound', 'no record of slow queries is kept here');
  answer.json(200, backend.slowQueries());
}

async function bodyOf(request: IncomingMessage): Promise<Document> {
  expectType(request, 'application/json');
  return parseDocument(await readBody(request));
}

const MEMBERS: readonly string[] = ['query', 'continue', 'after', 'name', 'namespace'];

function askedIn(body: Document): QueryAsked {
  const other = Object.keys(body).find((name) => !MEMBERS.includes(name));
  if (other !== undefined) {
    throw badRequest(
      `the body: expected { "query", "continue"?, "after"?, "name"?, "namespace"? }, found "${other.slice(0, 80)}" in it`,
    );
  }
  const { query, continue: token, after } = body;
  if (typeof query !== 'string') throw badRequest('the body: query must be text');
  if (token !== undefined && typeof token !== 'string')
    throw badRequest('the body: continue must be text');
  const version = after === undefined ? undefined : Number(after);
  if (version !== undefined && !(Number.isSafeInteger(version) && version >= 0)) {
    throw badRequest('the body: after must be the resourceVersion of a write');
  }
  return {
    query,
    ...(token !== undefined && { continue: token }),
    ...(version !== undefined && { after: version }),
    rollout: { ...nameIn(body, 'name'), ...nameIn(body, 'namespace') },
  };
}

function nameIn(
  body: Document,
  member: 'name' | 'namespace',
): { [Member in typeof member]?: string } {
  const name = body[member];
  if (name === undefined) return {};
  if (isName(name)) return { [member]: name };
  throw badRequest(`the body: ${member} must be a name`);
}
