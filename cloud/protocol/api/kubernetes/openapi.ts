/** The API as OpenAPI documents, versions 2 and 3: what `kubectl explain` and validating clients read. */
import type { Json } from '@limpet/dmi';
import { createHash } from 'node:crypto';
import { GROUP, GROUP_VERSION, type KindNames, KINDS } from '../kinds.ts';
import type { KubernetesPlace } from '../kubernetes-place.ts';
import { METADATA, type Schema, schemaOf } from './schemas.ts';

type OpenapiPlace = Extract<KubernetesPlace, { is: 'openapi' }>;

/** How a name of a schema begins, as Kubernetes names its own. */
export const PREFIX = 'dev.limpet.v1.';
const META = 'dev.limpet.v1.Metadata';
const LIST_META = 'dev.limpet.v1.ListMetadata';

/** `version`: Limpet's own. */
export function openapi({ version: dialect, group }: OpenapiPlace, version: string): Json {
  if (dialect === 2) return document2(version);
  if (group === 'core') return head3(version, {}, {});
  if (group === 'limpet') return document3(version);
  return {
    paths: {
      'api/v1': linkTo('/openapi/v3/api/v1', head3(version, {}, {})),
      [`apis/${GROUP_VERSION}`]: linkTo(`/openapi/v3/apis/${GROUP_VERSION}`, document3(version)),
    },
  };
}

/** Another address for another content: clients keep what they have read. */
function linkTo(path: string, document: Json): Json {
  const hash = createHash('sha256').update(JSON.stringify(document)).digest('hex');
  return { serverRelativeURL: `${path}?hash=${hash.slice(0, 32).toUpperCase()}` };
}

function head3(version: string, paths: Schema, schemas: Schema): Json {
  const info = { title: 'Limpet', version };
  return { openapi: '3.0.0', info, paths, components: { schemas } };
}

function document3(version: string): Json {
  const schemas = definitions('#/components/schemas/');
  const paths = Object.values(KINDS).flatMap((names) => pathsOf(names, dialect3));
  return head3(version, Object.fromEntries(paths), schemas);
}

function document2(version: string): Json {
  const paths = Object.values(KINDS).flatMap((names) => pathsOf(names, dialect2));
  return {
    swagger: '2.0',
    info: { title: 'Limpet', version },
    paths: Object.fromEntries(paths),
    definitions: definitions('#/definitions/'),
  };
}

function definitions(at: string): Schema {
  const kinds = Object.values(KINDS).flatMap(({ kind }): readonly (readonly [string, Schema])[] => [
    [`${PREFIX}${kind}`, { ...schemaOf(kind, `${at}${META}`), ...gvk(kind) }],
    [`${PREFIX}${kind}List`, listSchema(kind, at)],
  ]);
  const listMetadata: Schema = {
    type: 'object',
    properties: { resourceVersion: { type: 'string' }, continue: { type: 'string' } },
  };
  return Object.fromEntries([...kinds, [META, METADATA], [LIST_META, listMetadata]]);
}

function listSchema(kind: string, at: string): Schema {
  return {
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { allOf: [{ $ref: `${at}${LIST_META}` }] },
      items: { type: 'array', items: { $ref: `${at}${PREFIX}${kind}` } },
    },
    ...gvk(`${kind}List`),
  };
}

function gvk(kind: string): Schema {
  return { 'x-kubernetes-group-version-kind': [{ group: GROUP, kind, version: 'v1' }] };
}

/** What differs between the versions of OpenAPI. */
interface Dialect {
  parameter(name: string, where: 'query' | 'path', type: string): Schema;
  body(types: readonly string[], schema?: string): Schema;
  answer(schema: string): Schema;
}

const dialect3: Dialect = {
  parameter: (name, where, type) => {
    return { name, in: where, schema: { type }, ...(where === 'path' && { required: true }) };
  },
  body: (types, schema) => {
    const content =
      schema === undefined ? {} : { schema: { $ref: `#/components/schemas/${schema}` } };
    return { requestBody: { content: Object.fromEntries(types.map((type) => [type, content])) } };
  },
  answer: (schema) => ({
    description: 'OK',
    content: { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } },
  }),
};

const dialect2: Dialect = {
  parameter: (name, where, type) => {
    return { name, in: where, type, ...(where === 'path' && { required: true }) };
  },
  body: (types) => ({ consumes: types }),
  answer: (schema) => ({ description: 'OK', schema: { $ref: `#/definitions/${schema}` } }),
};

type Words = readonly (readonly [name: string, type: string])[];

const WRITING: Words = [
  ['dryRun', 'string'],
  ['fieldManager', 'string'],
  ['fieldValidation', 'string'],
];
const SELECTING: Words = [
  ['labelSelector', 'string'],
  ['fieldSelector', 'string'],
];
const LISTING: Words = [
  ...SELECTING,
  ['limit', 'integer'],
  ['continue', 'string'],
  ['watch', 'boolean'],
  ['allowWatchBookmarks', 'boolean'],
  ['resourceVersion', 'string'],
  ['timeoutSeconds', 'integer'],
];

function pathsOf(names: KindNames, dialect: Dialect): readonly (readonly [string, Schema])[] {
  const { kind, plural, namespaced } = names;
  const within = namespaced ? '/namespaces/{namespace}' : '';
  const root = `/apis/${GROUP_VERSION}`;
  const operations = operationsOf(kind, dialect);
  const space = namespaced ? [dialect.parameter('namespace', 'path', 'string')] : [];
  const all = { ...operations.list, operationId: `list${kind}Everywhere` };
  const removeEverywhere = { ...operations.removeAll, operationId: `removeAll${kind}Everywhere` };
  const everywhere = namespaced
    ? [[`${root}/${plural}`, { get: all, delete: removeEverywhere }] as const]
    : [];
  const { list, create, removeAll, get, replace, patch, remove } = operations;
  return [
    ...everywhere,
    [
      `${root}${within}/${plural}`,
      { get: list, post: create, delete: removeAll, parameters: space },
    ],
    [
      `${root}${within}/${plural}/{name}`,
      {
        get,
        put: replace,
        patch,
        delete: remove,
        parameters: [...space, dialect.parameter('name', 'path', 'string')],
      },
    ],
  ];
}

function operationsOf(kind: string, dialect: Dialect) {
  const one = `${PREFIX}${kind}`;
  const type = { 'x-kubernetes-group-version-kind': { group: GROUP, kind, version: 'v1' } };
  const operation = (action: string, words: Words, schema?: string, codes = ['200']): Schema => ({
    'x-kubernetes-action': action,
    ...type,
    operationId: `${action}${kind}`,
    parameters: words.map(([name, what]) => dialect.parameter(name, 'query', what)),
    responses: Object.fromEntries(
      codes.map((code) => [
        code,
        schema === undefined ? { description: 'A Status' } : dialect.answer(schema),
      ]),
    ),
  });
  const patches = ['json-patch+json', 'merge-patch+json', 'apply-patch+yaml'];
  const json = ['application/json'];
  return {
    get: operation('get', [], one),
    list: operation('list', LISTING, `${one}List`),
    create: { ...operation('post', WRITING, one, ['201']), ...dialect.body(json, one) },
    replace: { ...operation('put', WRITING, one), ...dialect.body(json, one) },
    patch: {
      ...operation('patch', [...WRITING, ['force', 'boolean'], ['expires', 'string']], one, [
        '200',
        '201',
      ]),
      ...dialect.body(patches.map((each) => `application/${each}`)),
    },
    remove: operation('delete', [['dryRun', 'string']]),
    removeAll: operation('deletecollection', [...SELECTING, ['dryRun', 'string']]),
  };
}
