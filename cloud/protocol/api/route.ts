/** What a request line asks for: method, path and query to a route. Pure; knows no backend. */
import { type CallRoute, onMethod } from './call.ts';
import { type CaptureRoute, onCapture } from './capture.ts';
import type { Key, Query, SamplesQuery, Target, WriteOptions } from './backend.ts';
import { KINDS } from './kinds.ts';
import { onOutcomes, type OutcomesRoute } from './outcomes.ts';
import { Parameters, quote } from './parameters.ts';
import { methodsAt, type Place, placeOf, type Scope } from './place.ts';
import { parseFieldSelector, parseLabelSelector } from './selector-syntax.ts';
import { badRequest, expired, methodNotAllowed } from './status.ts';
import { type LoadRoute, onWhy, type WhyRoute } from './why.ts';

export interface WatchRoute {
  readonly verb: 'watch';
  readonly query: Query;
  /** Continue after this version; without it, start with everything there is. */
  readonly since?: number;
  readonly bookmarks: boolean;
  readonly timeoutMs?: number;
}

export interface ListRoute {
  readonly verb: 'list';
  readonly query: Query;
  readonly limit?: number;
  /** Where an earlier, limited list ended. */
  readonly resume?: { readonly version: number; readonly after: Key };
}

export interface SamplesRoute {
  readonly verb: 'samples';
  readonly target: Target;
  readonly property: string;
  readonly query: SamplesQuery;
}

export type Route =
  | ListRoute
  | WatchRoute
  | { readonly verb: 'create'; readonly scope: Scope }
  | { readonly verb: 'get'; readonly target: Target }
  | { readonly verb: 'replace' | 'remove'; readonly target: Target }
  | { readonly verb: 'patch'; readonly target: Target; readonly options: WriteOptions }
  | SamplesRoute
  | CallRoute
  | CaptureRoute
  | WhyRoute
  | LoadRoute
  | OutcomesRoute
  /** A document of its own: discovery, version, health. */
  | { readonly verb: 'read'; readonly path: string }
  /** OPTIONS: says what else the path understands. */
  | { readonly verb: 'options'; readonly allow: readonly string[] };

const SELECTORS = ['labelSelector', 'fieldSelector'];
const READING = ['resourceVersion', 'resourceVersionMatch'];

/** @throws ApiError NotFound, BadRequest, MethodNotAllowed, Expired */
export function route(method: string, url: string): Route {
  const mark = url.indexOf('?');
  const place = placeOf(mark < 0 ? url : url.slice(0, mark));
  const allow = methodsAt(place);
  if (method === 'OPTIONS') return { verb: 'options', allow };
  if (!allow.includes(method)) {
    throw methodNotAllowed(
      `${quote(method)} is not understood here; ${allow.join(', ')} ${allow.length === 1 ? 'is' : 'are'}`,
    );
  }
  const parameters = new Parameters(mark < 0 ? '' : url.slice(mark + 1));
  if (place.at === 'document') return { verb: 'read', path: place.path };
  if (place.at === 'collection') return onCollection(method, place.scope, parameters);
  if (place.at === 'item') return onItem(method, place.target, parameters);
  return onPart(place, parameters);
}

/** Of what stands below a device, a node or a rollout. */
function onPart(
  place: Exclude<Place, { readonly at: 'document' | 'collection' | 'item' }>,
  parameters: Parameters,
): Route {
  switch (place.at) {
    case 'samples':
      return onSamples(place, parameters);
    case 'method':
      return onMethod(place, parameters);
    case 'capture':
      return onCapture(place, parameters);
    case 'why':
      return onWhy(place, parameters);
    case 'load':
      parameters.only([]);
      return { verb: 'load', target: place.target };
    case 'outcomes':
      return onOutcomes(place, parameters);
  }
}

const HOUR_MS = 3_600_000;
const MOST_SAMPLES = 1_000;

function onSamples(
  { target, property }: { readonly target: Target; readonly property: string },
  parameters: Parameters,
): SamplesRoute {
  parameters.only(['since', 'from', 'to', 'bucket', 'continue', 'limit']);
  const bucketMs = parameters.durationMs('bucket');
  const after = parameters.text('continue');
  if (after !== undefined && !/^-?\d{1,16}([.]-?\d{1,16})?$/.test(after)) {
    throw badRequest('query parameter continue: expected `next` of the page before');
  }
  const query = {
    ...timeOf(parameters),
    limit: Math.min(parameters.whole('limit') || MOST_SAMPLES, MOST_SAMPLES),
    ...(bucketMs !== undefined && { bucketMs }),
    ...(after !== undefined && { after }),
  };
  return { verb: 'samples', target, property, query };
}

function timeOf(parameters: Parameters): Pick<SamplesQuery, 'sinceMs' | 'from' | 'to'> {
  const sinceMs = parameters.durationMs('since');
  const [from, to] = [parameters.time('from'), parameters.time('to')];
  if (sinceMs !== undefined && from !== undefined) {
    throw badRequest('query parameters since and from say the same thing twice: give one');
  }
  if (from !== undefined && from >= (to ?? Infinity)) {
    throw badRequest('query parameter to: expected a time after from');
  }
  const begin = from === undefined ? { sinceMs: sinceMs ?? HOUR_MS } : { from };
  return { ...begin, ...(to !== undefined && { to }) };
}

function onItem(method: string, target: Target, parameters: Parameters): Route {
  refuseDryRun(parameters);
  if (method === 'PATCH') {
    parameters.only(['dryRun', 'expires', 'force']);
    const expiresMs = parameters.durationMs('expires');
    return { verb: 'patch', target, options: expiresMs === undefined ? {} : { expiresMs } };
  }
  if (parameters.flag('watch')) {
    throw badRequest(
      `one ${KINDS[target.kind].singular} is watched through its list: ?watch=1&fieldSelector=metadata.name=${target.name}`,
    );
  }
  parameters.only(['dryRun', 'watch', ...READING]);
  if (method === 'PUT') return { verb: 'replace', target };
  return { verb: method === 'DELETE' ? 'remove' : 'get', target };
}

function onCollection(method: string, scope: Scope, parameters: Parameters): Route {
  if (method === 'POST') {
    refuseDryRun(parameters);
    parameters.only(['dryRun']);
    return { verb: 'create', scope };
  }
  if (!parameters.flag('watch')) return list(scope, parameters);
  if (method === 'HEAD') throw methodNotAllowed('a watch has no end to take the head of; use GET');
  return watch(scope, parameters);
}

function list(scope: Scope, parameters: Parameters): Route {
  const known = [...SELECTORS, 'limit', 'continue', 'watch', 'timeoutSeconds', ...READING];
  parameters.only([...known, 'allowWatchBookmarks', 'sendInitialEvents']);
  if (parameters.text('resourceVersionMatch') === 'Exact') {
    throw expired('only the present state can be listed; leave out resourceVersionMatch=Exact');
  }
  const limit = parameters.whole('limit');
  const token = parameters.text('continue');
  return {
    verb: 'list',
    query: query(scope, parameters),
    ...(limit !== undefined && limit > 0 && { limit }),
    ...(token !== undefined && { resume: readToken(token) }),
  };
}

function watch(scope: Scope, parameters: Parameters): WatchRoute {
  const known = [...SELECTORS, 'watch', 'allowWatchBookmarks', 'timeoutSeconds', ...READING];
  parameters.only([...known, 'sendInitialEvents']);
  if (parameters.flag('sendInitialEvents')) {
    throw badRequest(
      'sendInitialEvents is not supported; a watch without resourceVersion starts with everything there is',
    );
  }
  const since = parameters.whole('resourceVersion');
  const seconds = parameters.whole('timeoutSeconds');
  return {
    verb: 'watch',
    query: query(scope, parameters),
    bookmarks: parameters.flag('allowWatchBookmarks'),
    // As in Kubernetes, 0 is "any version": everything there is, then changes.
    ...(since !== undefined && since > 0 && { since }),
    ...(seconds !== undefined && seconds > 0 && { timeoutMs: seconds * 1000 }),
  };
}

function query(scope: Scope, parameters: Parameters): Query {
  return {
    ...scope,
    selection: {
      labels: parseLabelSelector(parameters.text('labelSelector') ?? ''),
      fields: parseFieldSelector(parameters.text('fieldSelector') ?? '', scope.kind),
    },
  };
}

/** Better refused than done for real. */
function refuseDryRun(parameters: Parameters): void {
  if (parameters.text('dryRun') !== undefined) {
    throw badRequest('dryRun is not supported: leave it out to make the change');
  }
}

/** The `continue` of a limited list: the version of its first page and the last key given. */
export function writeToken(version: number, after: Key): string {
  return Buffer.from(`${version} ${after}`).toString('base64url');
}

function readToken(token: string): { version: number; after: Key } {
  const match = /^(\d{1,16}) ([a-z0-9./-]{1,600})$/.exec(
    Buffer.from(token, 'base64url').toString(),
  );
  if (match === null) throw badRequest('query parameter continue: not a token of this server');
  return { version: Number(match[1]), after: match[2] ?? '' };
}
