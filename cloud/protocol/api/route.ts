/** What a request line asks for: method, path and query to a route. Pure; knows no backend. */
import { type CallRoute, onMethod } from './call.ts';
import { type CaptureRoute, onCapture } from './capture.ts';
import type { Key, Query, SamplesQuery, Target } from './backend.ts';
import type { KubernetesRoute } from './kubernetes-place.ts';
import { KINDS } from './kinds.ts';
import { onOutcomes, type OutcomesRoute } from './outcomes.ts';
import { Parameters, quote } from './parameters.ts';
import { methodsAt, type Place, placeOf, type Scope } from './place.ts';
import { onQuery, type QueryRoute } from './query.ts';
import { parseFieldSelector, parseLabelSelector } from './selector-syntax.ts';
import type { Include } from './shape.ts';
import { badRequest, expired, methodNotAllowed } from './status.ts';
import { type LoadRoute, onWhy, type WhyRoute } from './why.ts';

export interface WatchRoute {
  readonly verb: 'watch';
  readonly query: Query;
  /** Continue after this version; without it, start with everything there is. */
  readonly since?: number;
  readonly bookmarks: boolean;
  /** The first bookmark says that everything there was has been sent. */
  readonly marksInitial: boolean;
  readonly include: Include;
  readonly timeoutMs?: number;
}

export interface ListRoute {
  readonly verb: 'list';
  readonly query: Query;
  readonly limit?: number;
  /** Where an earlier, limited list ended. */
  readonly resume?: { readonly version: number; readonly after: Key };
  readonly include: Include;
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
  | WriteRoute
  | { readonly verb: 'get'; readonly target: Target; readonly include: Include }
  | SamplesRoute
  | CallRoute
  | CaptureRoute
  | WhyRoute
  | LoadRoute
  | OutcomesRoute
  | QueryRoute
  /** What stands beside our kinds because Kubernetes clients look for it. */
  | KubernetesRoute
  /** A document of its own: discovery, version, health. */
  | { readonly verb: 'read'; readonly path: string }
  /** OPTIONS: says what else the path understands. */
  | { readonly verb: 'options'; readonly allow: readonly string[] };

/** How something is written. */
export interface Writing {
  /** Nothing is stored. */
  readonly dryRun: boolean;
  /** Who writes, where the request says so. */
  readonly manager?: string;
  /** Take fields from their owners. */
  readonly force: boolean;
  /** Goes with desired values. */
  readonly expiresMs?: number;
}

export type WriteRoute =
  | { readonly verb: 'create'; readonly scope: Scope; readonly writing: Writing }
  | {
      readonly verb: 'replace' | 'patch' | 'remove';
      readonly target: Target;
      readonly writing: Writing;
    }
  | { readonly verb: 'removeAll'; readonly query: Query; readonly writing: Writing };

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
  if (place.at === 'kubernetes') return { verb: 'kubernetes', place: place.place, method };
  if (place.at === 'status') return onStatus(method, place.target, parameters);
  if (place.at === 'query') return onQuery(method, place, parameters);
  return onPart(place, parameters);
}

/** Of what stands below a device, a node or a rollout. */
function onPart(
  place: Exclude<
    Place,
    { readonly at: 'document' | 'collection' | 'item' | 'status' | 'kubernetes' | 'query' }
  >,
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
  if (method === 'GET' || method === 'HEAD') {
    if (parameters.flag('watch')) {
      throw badRequest(
        `one ${KINDS[target.kind].singular} is watched through its list: ?watch=1&fieldSelector=metadata.name=${target.name}`,
      );
    }
    parameters.only(['watch', 'includeObject', ...READING]);
    return { verb: 'get', target, include: includeOf(parameters) };
  }
  const writing = writingOf(parameters, method === 'PATCH' ? ['expires', 'force'] : READING);
  if (method === 'PUT') return { verb: 'replace', target, writing };
  return { verb: method === 'DELETE' ? 'remove' : 'patch', target, writing };
}

/** The status is for reading. */
function onStatus(method: string, target: Target, parameters: Parameters): Route {
  if (method === 'GET' || method === 'HEAD') return onItem(method, target, parameters);
  throw methodNotAllowed(
    `the status of a ${KINDS[target.kind].singular} is told by its node and by nobody else; what shall be stands in its spec`,
  );
}

function onCollection(method: string, scope: Scope, parameters: Parameters): Route {
  if (method === 'POST') return { verb: 'create', scope, writing: writingOf(parameters, []) };
  if (method === 'DELETE') {
    const known = [...SELECTORS, 'limit', 'continue', 'timeoutSeconds', ...READING];
    const writing = writingOf(parameters, known);
    return { verb: 'removeAll', query: query(scope, parameters), writing };
  }
  if (!parameters.flag('watch')) return list(scope, parameters);
  if (method === 'HEAD') throw methodNotAllowed('a watch has no end to take the head of; use GET');
  return watch(scope, parameters);
}

const LONGEST_MANAGER = 128;

function writingOf(parameters: Parameters, known: readonly string[]): Writing {
  parameters.only(['dryRun', ...known]);
  const dryRun = parameters.text('dryRun');
  if (dryRun !== undefined && dryRun !== 'All') {
    throw badRequest(`query parameter dryRun: expected All, found ${quote(dryRun)}`);
  }
  const manager = parameters.text('fieldManager');
  if (
    manager !== undefined &&
    (manager.length > LONGEST_MANAGER || !/^[\x20-\x7e]+$/.test(manager))
  ) {
    throw badRequest(
      `query parameter fieldManager: expected at most ${LONGEST_MANAGER} printable characters`,
    );
  }
  const expiresMs = known.includes('expires') ? parameters.durationMs('expires') : undefined;
  return {
    dryRun: dryRun !== undefined,
    force: known.includes('force') && parameters.flag('force'),
    ...(manager !== undefined && { manager }),
    ...(expiresMs !== undefined && { expiresMs }),
  };
}

function includeOf(parameters: Parameters): Include {
  const text = parameters.text('includeObject') ?? 'Metadata';
  if (text === 'None' || text === 'Metadata' || text === 'Object') return text;
  throw badRequest(
    `query parameter includeObject: expected None, Metadata or Object, found ${quote(text)}`,
  );
}

function list(scope: Scope, parameters: Parameters): Route {
  const known = [...SELECTORS, 'limit', 'continue', 'watch', 'timeoutSeconds', ...READING];
  parameters.only([...known, 'allowWatchBookmarks', 'sendInitialEvents', 'includeObject']);
  if (parameters.text('resourceVersionMatch') === 'Exact') {
    throw expired('only the present state can be listed; leave out resourceVersionMatch=Exact');
  }
  const limit = parameters.whole('limit');
  const token = parameters.text('continue');
  return {
    verb: 'list',
    query: query(scope, parameters),
    include: includeOf(parameters),
    ...(limit !== undefined && limit > 0 && { limit }),
    ...(token !== undefined && { resume: readToken(token) }),
  };
}

function watch(scope: Scope, parameters: Parameters): WatchRoute {
  const known = [...SELECTORS, 'watch', 'allowWatchBookmarks', 'timeoutSeconds', ...READING];
  parameters.only([...known, 'sendInitialEvents', 'includeObject']);
  // Asked for, the present state comes first whatever the version: it is never older than that.
  const initial = parameters.flag('sendInitialEvents');
  const given = parameters.whole('resourceVersion');
  const since = initial ? undefined : given;
  const bookmarks = parameters.flag('allowWatchBookmarks');
  const seconds = parameters.whole('timeoutSeconds');
  return {
    verb: 'watch',
    query: query(scope, parameters),
    include: includeOf(parameters),
    bookmarks,
    marksInitial: initial && bookmarks,
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
