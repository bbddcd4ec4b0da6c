/** The OpenAPI document against what the code says: paths, methods, and the types of the client. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import type { InferOutput } from 'valibot';
import type { Json } from '@limpet/dmi';
import type { Rollout } from '@limpet/dmi/manifest';
import type { ApiClient } from '../client.ts';
import { KINDS } from '../kinds.ts';
import { DOCUMENTS, methodsAt, type Place, placeOf } from '../place.ts';
import { FIXED } from '../kubernetes-place.ts';
import type { QueryAsked, SlowQueries } from '../query.ts';
import type { Status } from '../status.ts';
import type { SCHEMAS, SchemaName } from './answers.ts';
import { apiDocument } from './document.ts';
import type { OPERATIONS } from './operations.ts';

type Plain<T> = [Json] extends [T]
  ? T
  : T extends object
    ? { readonly [Key in keyof T]: Plain<T[Key]> }
    : T;
type Same<A, B> =
  (<T>() => T extends Plain<A> ? 1 : 2) extends <T>() => T extends Plain<B> ? 1 : 2 ? true : never;

type Answered<Id extends keyof typeof OPERATIONS> = InferOutput<
  (typeof SCHEMAS)[Extract<(typeof OPERATIONS)[Id]['answer'][number], SchemaName>]
>;
type Given<Method extends keyof ApiClient> = ApiClient[Method] extends (
  ...asked: never[]
) => Promise<infer Answer>
  ? Answer
  : never;

/** Does not compile when the client and the document say different things. */
const AGREED: {
  readonly query: Same<Answered<'query'>, Exclude<Given<'query'>, Rollout>>;
  readonly samples: Same<Answered<'samples'>, Given<'samples'>>;
  readonly call: Same<Answered<'call'>['output'], Given<'call'>>;
  readonly capture: Same<Answered<'capture'>, Given<'capture'>>;
  readonly why: Same<Answered<'why'>, Given<'why'>>;
  readonly load: Same<Answered<'load'>, Given<'load'>>;
  readonly outcomes: Same<Answered<'outcomes'>, Given<'outcomes'>>;
  readonly slowQueries: Same<Answered<'slowQueries'>, SlowQueries>;
  readonly status: Same<InferOutput<(typeof SCHEMAS)['Status']>, Status>;
  readonly asked: Same<
    Omit<InferOutput<(typeof SCHEMAS)['QueryAsked']>, 'name' | 'namespace'>,
    Omit<QueryAsked, 'rollout'>
  >;
} = {
  query: true,
  samples: true,
  call: true,
  capture: true,
  why: true,
  load: true,
  outcomes: true,
  slowQueries: true,
  status: true,
  asked: true,
};

interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { operationId?: string }>>>>;
}

const document = apiDocument('0.1.0') as unknown as Described;

test('what the client gives is what the document says, as far as the compiler knows', () => {
  assert.ok(Object.values(AGREED).every(Boolean));
});

test('the document is valid OpenAPI, and no two operations have one name', async () => {
  const { valid, errors } = await new Validator().validate(
    structuredClone(document) as unknown as Record<string, unknown>,
  );
  assert.ok(valid, JSON.stringify(errors ?? '').slice(0, 2000));
  const names = Object.values(document.paths).flatMap((item) =>
    Object.values(item).flatMap(({ operationId }) => operationId ?? []),
  );
  assert.deepEqual(names.toSorted(), [...new Set(names)].toSorted());
});

/** What the server understands only to say why not, and what goes without saying. */
const UNSAID: Partial<Record<Place['at'], readonly string[]>> = {
  kubernetes: ['POST', 'PUT', 'PATCH', 'DELETE'],
  status: ['PUT', 'PATCH', 'DELETE'],
};

function methodsOf(path: string, described: boolean): readonly string[] {
  const place = placeOf(path.replaceAll(/\{\w+\}/g, 'x'));
  const beside = place.at === 'kubernetes' && !/^(access|rules)$/.test(place.place.is);
  const unsaid = place.at === 'kubernetes' && !beside ? [] : (UNSAID[place.at] ?? []);
  if (described) {
    const keys = Object.keys(document.paths[path] ?? {}).filter((key) => key !== 'parameters');
    return keys.map((key) => key.toUpperCase()).toSorted();
  }
  return methodsAt(place)
    .filter((method) => method !== 'HEAD' && !unsaid.includes(method))
    .toSorted();
}

/** One path of each shape there is; a place that is new does not compile without one. */
const SHAPES: Readonly<Record<Place['at'], readonly string[]>> = {
  collection: Object.values(KINDS).flatMap(({ plural, namespaced }) =>
    namespaced ? [`${plural}`, `namespaces/{namespace}/${plural}`] : [plural],
  ),
  item: Object.values(KINDS).map((names) => itemOf(names)),
  status: Object.values(KINDS).map((names) => `${itemOf(names)}/status`),
  samples: [`${itemOf(KINDS.Device)}/samples/{property}`],
  method: [`${itemOf(KINDS.Device)}/methods/{method}`],
  capture: [`${itemOf(KINDS.Device)}/captures/{capture}`],
  why: [`${itemOf(KINDS.Device)}/why/{property}`],
  load: [`${itemOf(KINDS.Node)}/load`],
  outcomes: [`${itemOf(KINDS.Rollout)}/devices`],
  query: ['query', 'queries/slow'],
  kubernetes: [],
  document: [],
};

function itemOf({ plural, namespaced }: (typeof KINDS)['Device']): string {
  return `${namespaced ? 'namespaces/{namespace}/' : ''}${plural}/{name}`;
}

test('every path that the server understands is in the document with its methods, and no other', () => {
  const shapes = Object.values(SHAPES).flat();
  const understood = [
    ...shapes.map((shape) => `/apis/limpet.dev/v1/${shape}`),
    ...DOCUMENTS,
    ...Object.keys(FIXED),
    '/api/v1/namespaces/{namespace}',
    '/api/v1/namespaces/{namespace}/events',
  ];
  assert.deepEqual(Object.keys(document.paths).toSorted(), understood.toSorted());
  for (const path of understood) {
    assert.deepEqual(methodsOf(path, true), methodsOf(path, false), path);
  }
});
