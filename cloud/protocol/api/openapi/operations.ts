/** Our own paths, beside those of the kinds: what each is asked with, and what it answers. */
import { GROUP_VERSION } from '../kinds.ts';
import type { SchemaName } from './answers.ts';

/** `document`: one of Kubernetes' own, which Kubernetes describes. */
type Content = SchemaName | 'Rollout' | 'text' | 'events' | 'document';

export interface Operation {
  readonly path: string;
  readonly method: 'get' | 'post';
  readonly about: string;
  /** Of the query; those with ! must be given. */
  readonly words?: readonly string[];
  readonly body?: Content;
  readonly answer: readonly Content[];
  /** Default 200. */
  readonly code?: 200 | 201;
  /** It is asked without a token. */
  readonly open?: true;
}

const ROOT = `/apis/${GROUP_VERSION}`;
const DEVICE = `${ROOT}/namespaces/{namespace}/devices/{name}`;
const REVIEWS = '/apis/authorization.k8s.io/v1';

/** By their operationId. */
export const OPERATIONS = {
  query: {
    path: `${ROOT}/query`,
    method: 'post',
    about: 'Answers a query, page by page; an EXPLAIN with a plan, an UPDATE with its rollout.',
    body: 'QueryAsked',
    answer: ['QueryResult', 'QueryPlan', 'Rollout'],
  },
  queryByAddress: {
    path: `${ROOT}/query`,
    method: 'get',
    about:
      'The same; with watch=1 a standing query: events reset, enter, update, leave, bookmark and error, each of whose ids is a cursor. A WebSocket to the same path gets them as JSON.',
    words: ['query!', 'continue', 'after', 'watch', 'cursor'],
    answer: ['QueryResult', 'QueryPlan', 'events'],
  },
  slowQueries: {
    path: `${ROOT}/queries/slow`,
    method: 'get',
    about: 'The queries that took long, newest first. Of a cloud.',
    answer: ['SlowQueryList'],
  },
  samples: {
    path: `${DEVICE}/samples/{property}`,
    method: 'get',
    about: "One page of a property's past, oldest first. Where history is kept.",
    words: ['since', 'from', 'to', 'bucket', 'continue', 'limit'],
    answer: ['SampleList'],
  },
  call: {
    path: `${DEVICE}/methods/{method}`,
    method: 'post',
    about: 'Runs a method of the device, once; details.call of an error says where it stopped.',
    words: ['timeout'],
    body: 'MethodInput',
    answer: ['MethodOutput'],
  },
  capture: {
    path: `${DEVICE}/captures/{capture}`,
    method: 'post',
    about: "What went over the device's wires since this was asked last. Of an edge.",
    answer: ['CapturePage'],
  },
  why: {
    path: `${DEVICE}/why/{property}`,
    method: 'get',
    about: 'Why a value is as it is: the stage where it stopped, with times and what to do.',
    answer: ['Explanation'],
  },
  load: {
    path: `${ROOT}/nodes/{name}/load`,
    method: 'get',
    about: 'What a node is busy with now.',
    answer: ['NodeLoad'],
  },
  outcomes: {
    path: `${ROOT}/namespaces/{namespace}/rollouts/{name}/devices`,
    method: 'get',
    about: 'What became of each device of a rollout. Of a cloud.',
    words: ['state', 'limit', 'continue'],
    answer: ['RolloutDeviceList'],
  },
  health: {
    path: '/healthz',
    method: 'get',
    about: 'ok, or 503 with what is wrong.',
    answer: ['text'],
    open: true,
  },
  readiness: {
    path: '/readyz',
    method: 'get',
    about: 'ok, or 503 with why it should get no requests now.',
    answer: ['text'],
    open: true,
  },
  metrics: {
    path: '/metrics',
    method: 'get',
    about: "In Prometheus' text format.",
    answer: ['text'],
  },
  version: kubernetes('/version', "Limpet's version."),
  coreVersions: kubernetes('/api', 'Discovery.'),
  coreKinds: kubernetes('/api/v1', 'Discovery.'),
  groups: kubernetes('/apis', 'Discovery.'),
  group: kubernetes('/apis/limpet.dev', 'Discovery.'),
  kinds: kubernetes(ROOT, 'Discovery.'),
  namespaces: kubernetes('/api/v1/namespaces', 'The namespaces in use, and default.'),
  namespace: kubernetes('/api/v1/namespaces/{namespace}', 'One of them.'),
  events: kubernetes('/api/v1/events', 'None: what happened stands in the status of devices.'),
  eventsIn: kubernetes('/api/v1/namespaces/{namespace}/events', 'None.'),
  openapi2: kubernetes('/openapi/v2', 'The kinds, in OpenAPI 2.'),
  openapi3: kubernetes('/openapi/v3', 'Where the kinds stand, in OpenAPI 3.'),
  openapi3Core: kubernetes('/openapi/v3/api/v1', 'Nothing: the kinds of Kubernetes are not here.'),
  openapi3Kinds: kubernetes(`/openapi/v3${ROOT}`, 'The kinds, in OpenAPI 3.'),
  openapi: kubernetes('/openapi/v3/limpet', 'This document.'),
  mayI: review('selfsubjectaccessreviews', 'May I do this?'),
  whatMayI: review('selfsubjectrulesreviews', 'What may I do?'),
} as const satisfies Readonly<Record<string, Operation>>;

function kubernetes(path: string, about: string) {
  return { path, method: 'get', about, answer: ['document'] } as const;
}

function review(plural: string, about: string) {
  const path = `${REVIEWS}/${plural}`;
  return {
    path,
    method: 'post',
    about,
    body: 'document',
    answer: ['document'],
    code: 201,
  } as const;
}
