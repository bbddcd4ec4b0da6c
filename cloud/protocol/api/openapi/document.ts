/** The whole API as one OpenAPI 3.1 document: the kinds as Kubernetes clients see them, and every path of our own. */
import type { Json } from '@limpet/dmi';
import { toJsonSchema } from '@valibot/to-json-schema';
import type { GenericSchema } from 'valibot';
import { GROUP_VERSION, type KindNames, KINDS } from '../kinds.ts';
import { openapi, PREFIX } from '../kubernetes/openapi.ts';
import type { Schema } from '../kubernetes/schemas.ts';
import { SCHEMAS } from './answers.ts';
import { type Operation, OPERATIONS } from './operations.ts';

const TOKEN = 'token';
const REFUSED: Schema = { $ref: '#/components/responses/Status' };

/** `version`: Limpet's own. */
export function apiDocument(version: string): Json {
  const { paths, components } = openapi(
    { is: 'openapi', version: 3, group: 'limpet' },
    version,
  ) as unknown as KindsDocument;
  return {
    openapi: '3.1.0',
    info: {
      title: 'Limpet',
      version,
      summary: 'Devices, their models, nodes and rollouts; their twins, past and queries.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    security: [{ [TOKEN]: [] }, {}],
    paths: { ...withErrors(paths), ...statusPaths(), ...ownPaths() },
    components: {
      schemas: { ...components.schemas, ...ownSchemas() },
      responses: {
        Status: { description: 'Why the request was not served.', content: json('Status') },
      },
      securitySchemes: { [TOKEN]: { type: 'http', scheme: 'bearer' } },
    },
  };
}

const DELETED: Schema = { '200': { description: 'Deleted', content: json('Status') } };

interface KindsDocument {
  readonly paths: Readonly<Record<string, Schema>>;
  readonly components: { readonly schemas: Schema };
}

function withErrors(paths: KindsDocument['paths']): Schema {
  const each = Object.entries(paths).map(([path, item]) => {
    const operations = Object.entries(item).map(([method, operation]) => {
      if (method === 'parameters') return [method, operation];
      const { responses, ...rest } = operation as { readonly responses: Schema };
      const told = method === 'delete' ? DELETED : responses;
      return [method, { ...rest, responses: { ...told, default: REFUSED } }];
    });
    return [path, Object.fromEntries(operations)];
  });
  return Object.fromEntries(each) as Schema;
}

function statusPaths(): Schema {
  return Object.fromEntries(Object.values(KINDS).map((names) => statusPath(names)));
}

/** The status alone cannot be written, so there is nothing but a look at it. */
function statusPath({ kind, plural, namespaced }: KindNames): readonly [string, Schema] {
  const within = namespaced ? '/namespaces/{namespace}' : '';
  const path = `/apis/${GROUP_VERSION}${within}/${plural}/{name}/status`;
  const operation = {
    operationId: `getStatusOf${kind}`,
    summary: 'The same as without /status, which tells it too.',
    responses: {
      '200': { description: 'OK', content: json(`${PREFIX}${kind}`) },
      default: REFUSED,
    },
  };
  return [path, { get: operation, parameters: inPath(path) }];
}

function ownPaths(): Schema {
  const paths: Record<string, Schema> = {};
  for (const [id, operation] of Object.entries<Operation>(OPERATIONS)) {
    const { path, method } = operation;
    const parameters = inPath(path);
    paths[path] = {
      ...paths[path],
      ...(parameters.length > 0 && { parameters }),
      [method]: described(id, operation),
    };
  }
  return paths;
}

function described(
  id: string,
  { about, words, body, answer, code = 200, open }: Operation,
): Schema {
  const content = answer.map((each) => Object.entries(contentOf(each, answer)));
  return {
    operationId: id,
    summary: about,
    ...(open && { security: [{}] }),
    ...(words && { parameters: words.map((word) => inQuery(word)) }),
    ...(body && { requestBody: { content: contentOf(body, [body]), required: true } }),
    responses: {
      [code]: { description: 'OK', content: Object.fromEntries(content.flat()) as Schema },
      default: REFUSED,
    },
  };
}

/** What has no schema of its own. */
const PLAIN: Readonly<Record<string, Schema | undefined>> = {
  text: { 'text/plain': { schema: { type: 'string' } } },
  events: { 'text/event-stream': { schema: { type: 'string' } } },
  document: { 'application/json': { schema: { type: 'object' } } },
};

/** All that are JSON stand as alternatives under the one media type. */
function contentOf(content: Operation['answer'][number], all: Operation['answer']): Schema {
  const plain = PLAIN[content];
  if (plain !== undefined) return plain;
  const names = all.filter((each) => each === 'Rollout' || Object.hasOwn(SCHEMAS, each));
  if (names.length === 1) return json(content);
  const anyOf = names.map((name) => {
    return { $ref: `#/components/schemas/${name === 'Rollout' ? `${PREFIX}${name}` : name}` };
  });
  return { 'application/json': { schema: { anyOf } } };
}

function json(schema: string): Schema {
  return { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } };
}

function inPath(path: string): readonly Schema[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => {
    return { name, in: 'path', required: true, schema: { type: 'string' } };
  });
}

const WHOLE: ReadonlySet<string> = new Set(['limit', 'after']);

function inQuery(word: string): Schema {
  const name = word.replace('!', '');
  const type = WHOLE.has(name) ? 'integer' : 'string';
  return { name, in: 'query', schema: { type }, ...(word !== name && { required: true }) };
}

function ownSchemas(): Schema {
  return Object.fromEntries(
    Object.entries<GenericSchema>(SCHEMAS).map(([name, schema]) => {
      const { $schema: _, ...told } = toJsonSchema(schema, { target: 'draft-2020-12' });
      return [name, told as Schema];
    }),
  );
}
