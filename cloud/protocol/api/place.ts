/** The paths of the API: what stands where, and which methods it understands. */
import type { Kind } from '@limpet/dmi/manifest';
import type { Target } from './backend.ts';
import { GROUP_VERSION, type KindNames, kindOfPlural, KINDS } from './kinds.ts';
import { kubernetesMethods, kubernetesPlace, type KubernetesPlace } from './kubernetes-place.ts';
import { isName } from './names.ts';
import { quote } from './parameters.ts';
import { ApiError, badRequest } from './status.ts';

/** A kind, in one namespace or in all. */
export interface Scope {
  readonly kind: Kind;
  readonly namespace?: string;
}

export type Place =
  | { readonly at: 'collection'; readonly scope: Scope }
  | { readonly at: 'item'; readonly target: Target }
  /** The past of one property of a device. */
  | { readonly at: 'samples'; readonly target: Target; readonly property: string }
  /** A method of a device. */
  | { readonly at: 'method'; readonly target: Target; readonly method: string }
  /** A capture of a device's wires. */
  | { readonly at: 'capture'; readonly target: Target; readonly capture: string }
  /** What a node is busy with. */
  | { readonly at: 'load'; readonly target: Target }
  /** Why a property of a device is as it is. */
  | { readonly at: 'why'; readonly target: Target; readonly property: string }
  /** What became of the devices of a rollout. */
  | { readonly at: 'outcomes'; readonly target: Target }
  /** What is observed of a resource. */
  | { readonly at: 'status'; readonly target: Target }
  /** What stands beside our kinds because Kubernetes clients look for it. */
  | { readonly at: 'kubernetes'; readonly place: KubernetesPlace }
  /** Queries, and the record of slow ones. */
  | { readonly at: 'query'; readonly slow: boolean }
  | { readonly at: 'document'; readonly path: string };

/** Documents of their own that a front serves. */
export const DOCUMENTS: readonly string[] = [
  '/api',
  '/api/v1',
  '/apis',
  '/apis/limpet.dev',
  '/apis/limpet.dev/v1',
  '/healthz',
  '/metrics',
  '/readyz',
  '/version',
];

const ROOT = `/apis/${GROUP_VERSION}`;

/** The methods that a place understands. */
export function methodsAt(place: Place): readonly string[] {
  if (place.at === 'collection') return collectionMethods(place.scope);
  if (place.at === 'kubernetes') return kubernetesMethods(place.place);
  if (place.at === 'query') return place.slow ? LOOKS : ['GET', 'HEAD', 'POST'];
  return METHODS[place.at];
}

const LOOKS = ['GET', 'HEAD'];
const WRITES = ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'];
const METHODS = {
  item: WRITES,
  status: WRITES,
  document: LOOKS,
  samples: LOOKS,
  why: LOOKS,
  load: LOOKS,
  outcomes: LOOKS,
  method: ['POST'],
  capture: ['POST'],
} as const;

/** What is created says in its path where it goes. */
function collectionMethods({ kind, namespace }: Scope): readonly string[] {
  const complete = namespace !== undefined || !KINDS[kind].namespaced;
  return ['GET', 'HEAD', ...(complete ? ['POST'] : []), 'DELETE'];
}

/** @throws ApiError NotFound, BadRequest */
export function placeOf(path: string): Place {
  const trimmed = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
  if (DOCUMENTS.includes(trimmed)) return { at: 'document', path: trimmed };
  if (trimmed === `${ROOT}/query`) return { at: 'query', slow: false };
  if (trimmed === `${ROOT}/queries/slow`) return { at: 'query', slow: true };
  const beside = kubernetesPlace(trimmed);
  if (beside !== undefined) return { at: 'kubernetes', place: beside };
  if (!trimmed.startsWith(`${ROOT}/`)) throw unknownPath(path);
  const place = placeUnder(trimmed.slice(ROOT.length + 1).split('/'));
  if (place === undefined) throw unknownPath(path);
  return place;
}

function placeUnder(parts: readonly string[]): Place | undefined {
  // `namespaces` is no kind here, so it can only lead to a namespace.
  const namespace = parts[0] === 'namespaces' ? parts[1] : undefined;
  const [plural = '', name, ...more] = namespace === undefined ? parts : parts.slice(2);
  const names = kindOfPlural(plural);
  if (names === undefined) return undefined;
  // Only lists reach over all namespaces.
  const expected = names.namespaced && (namespace !== undefined || name !== undefined);
  if ((namespace !== undefined) !== expected) return undefined;
  const place = placeIn(names, namespace, name);
  return more.length === 0 ? place : placeBelow(place, more);
}

/** What a resource has below it: its status; a node its load, a rollout its devices, and a device much more. */
function placeBelow(place: Place, [word, name, ...more]: readonly string[]): Place | undefined {
  if (place.at !== 'item') return undefined;
  const { target } = place;
  if (name === undefined) return placeOfWhole(target, word);
  return target.kind === 'Device' && more.length === 0
    ? placeOfPart(target, word, name)
    : undefined;
}

function placeOfWhole(target: Target, word: string | undefined): Place | undefined {
  if (word === 'status') return { at: 'status', target };
  if (target.kind === 'Node' && word === 'load') return { at: 'load', target };
  if (target.kind === 'Rollout' && word === 'devices') return { at: 'outcomes', target };
  return undefined;
}

/** The past of a device's properties, why they are so, its methods, captures of its wires. */
function placeOfPart(target: Target, word: string | undefined, name: string): Place | undefined {
  if (word === 'samples') return { at: 'samples', target, property: partIn(name, 'property') };
  if (word === 'why') return { at: 'why', target, property: partIn(name, 'property') };
  if (word === 'methods') return { at: 'method', target, method: partIn(name, 'method') };
  if (word === 'captures') return { at: 'capture', target, capture: partIn(name, 'capture') };
  return undefined;
}

function partIn(segment: string, what: 'property' | 'method' | 'capture'): string {
  if (/^[A-Za-z_][A-Za-z0-9_-]{0,62}$/.test(segment)) return segment;
  throw badRequest(
    `${quote(segment)} is no name of a ${what}: expected a letter or _, then letters, digits, _ and -, at most 63`,
  );
}

function placeIn(names: KindNames, namespace?: string, name?: string): Place {
  const scope = {
    kind: names.kind,
    ...(namespace !== undefined && { namespace: nameIn(namespace, 'namespace') }),
  };
  if (name === undefined) return { at: 'collection', scope };
  return { at: 'item', target: { ...scope, name: nameIn(name, names.singular) } };
}

function nameIn(segment: string, what: string): string {
  let name: string;
  try {
    name = decodeURIComponent(segment);
  } catch {
    throw badRequest(`${quote(segment)} in the path is not valid percent-encoding`);
  }
  if (isName(name)) return name;
  throw badRequest(
    `${quote(name)} is no name of a ${what}: expected at most 253 of a-z 0-9 - . with a letter or digit at both ends`,
  );
}

function unknownPath(path: string): ApiError {
  const kinds = Object.values(KINDS).map(({ plural, namespaced }) => {
    return namespaced
      ? `${ROOT}/namespaces/NAMESPACE/${plural}[/NAME]`
      : `${ROOT}/${plural}[/NAME]`;
  });
  return new ApiError(
    'NotFound',
    `the server has nothing at ${quote(path)}; it has ${kinds.join(', ')}, lists over all namespaces like ${ROOT}/devices, ${ROOT}/query, and ${DOCUMENTS.join(', ')}`,
  );
}

/** The methods that the path of this url understands; none when there is no such path. */
export function allowed(url: string): readonly string[] {
  try {
    return methodsAt(placeOf(url.split('?', 1)[0] ?? ''));
  } catch (error) {
    if (error instanceof ApiError) return [];
    throw error;
  }
}
