/** The OpenAPI document against a real cloud: each path is asked, and each answer held against its schema. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { startCloud } from './main.ts';
import { BOILER, BOILER_1, silent, urlOf } from './testing.ts';

type Part = Readonly<Record<string, unknown>>;

interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Part; readonly responses: Part };
}

interface Operation {
  readonly responses: Readonly<Record<string, Answer>>;
}

interface Answer {
  readonly $ref?: string;
  readonly content?: Readonly<Record<string, { readonly schema: object }>>;
}

const ROLLOUT = {
  apiVersion: 'limpet.dev/v1',
  kind: 'Rollout',
  metadata: { name: 'r', namespace: 'default' },
  spec: {
    query: "UPDATE devices SET desired.setpoint = 50 WHERE labels.hall = 'north'",
    paused: true,
  },
};
const NODE = { apiVersion: 'limpet.dev/v1', kind: 'Node', metadata: { name: 'n' }, spec: {} };
const ROOT = '/apis/limpet.dev/v1';
const SPACE = `${ROOT}/namespaces/default`;
const BODIES: Readonly<Record<string, object>> = {
  [`${ROOT}/namespaces/{namespace}/devicemodels`]: {
    ...BOILER,
    spec: { ...BOILER.spec, methods: [{ name: 'setpoint', visitor: {} }] },
  },
  [`${ROOT}/namespaces/{namespace}/devices`]: BOILER_1,
  [`${ROOT}/namespaces/{namespace}/rollouts`]: ROLLOUT,
  [`${ROOT}/nodes`]: NODE,
  [`${ROOT}/query`]: { query: 'SELECT device, setpoint FROM devices' },
};
/** In which order: what is needed comes first, what takes away last. */
const METHODS = ['post', 'get', 'put', 'patch', 'delete'];
/** What only an edge can answer, an edge that is there, or one that has reported something. */
const AWAY: Readonly<Record<string, number>> = {
  captures: 405,
  methods: 503,
  load: 503,
  samples: 404,
};

function named(template: string): string {
  const kinds: Record<string, string> = {
    devices: 'boiler-1',
    devicemodels: 'boiler',
    nodes: 'n',
    rollouts: 'r',
  };
  return template
    .replace('{namespace}', 'default')
    .replace(/(\w+)\/\{name\}/, (_, kind: string) => `${kind}/${kinds[kind]}`)
    .replace(/\{\w+\}/, 'setpoint');
}

function queryOf(method: string, url: string): string {
  const asks = method === 'get' && url.endsWith('/query');
  return asks ? '?query=SELECT%20device%20FROM%20devices' : '';
}

/** Nothing may be answered that is not in the document. */
function strict(part: unknown): unknown {
  if (Array.isArray(part)) return part.map((each) => strict(each));
  if (typeof part !== 'object' || part === null) return part;
  const inner = Object.fromEntries(
    Object.entries(part).map(([name, each]) => [name, strict(each)]),
  );
  const closes = inner['type'] === 'object' && 'properties' in inner;
  return closes ? { additionalProperties: false, ...inner } : inner;
}

test('each path of the document is answered by the service as the document says', async (t) => {
  const data = mkdtempSync(path.join(tmpdir(), 'limpet-openapi-'));
  t.after(() => rmSync(data, { recursive: true, force: true }));
  const store = urlOf(data);
  const service = await startCloud({ data, store, listen: '127.0.0.1:0', log: silent });
  t.after(() => service.close());
  const document = (await (await fetch(`${service.url}/openapi/v3/limpet`)).json()) as Described;
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: 'api', ...(strict({ components: document.components }) as object) });

  const agrees = async (response: Response, operation: Operation, asked: string): Promise<void> => {
    const { status, headers } = response;
    const said = operation.responses[String(status)];
    const failed = '#/components/responses/Status';
    assert.ok(said ?? status >= 400, `${asked} answers ${status}, which is not in the document`);
    const type = headers.get('content-type')?.split(';')[0] ?? '';
    const text = await response.text();
    if (said === undefined) assert.equal(operation.responses['default']?.$ref, failed);
    const content = said?.content?.[type] ?? { schema: { $ref: '#/components/schemas/Status' } };
    if (said !== undefined) assert.ok(said.content?.[type], `${asked} answers ${type}`);
    if (type !== 'application/json') return;
    const schema = JSON.parse(JSON.stringify(content.schema).replaceAll('"#/', '"api#/')) as object;
    const valid = ajv.validate(schema, JSON.parse(text));
    assert.ok(valid, `${asked}: ${JSON.stringify(ajv.errors)} in ${text.slice(0, 2000)}`);
  };

  const ask = async (template: string, method: string): Promise<void> => {
    const operation = document.paths[template]?.[method];
    if (operation === undefined) return;
    const url = named(template);
    const asked = `${method} ${url}`;
    const current = method === 'put' ? await (await fetch(service.url + url)).json() : {};
    const body = method === 'post' ? (BODIES[template] ?? {}) : current;
    const type = method === 'patch' ? 'application/merge-patch+json' : 'application/json';
    const response = await fetch(service.url + url + queryOf(method, url), {
      method: method.toUpperCase(),
      headers: { 'content-type': type },
      ...(method !== 'get' && method !== 'delete' && { body: JSON.stringify(body) }),
    });
    const away = Object.entries(AWAY).find(([word]) => url.split('/').includes(word))?.[1];
    if (away === undefined)
      assert.ok(response.ok, `${asked}: ${response.status} ${await response.clone().text()}`);
    else assert.equal(response.status, away, asked);
    await agrees(response, operation, asked);
  };

  // A device needs its model; one path deletes one, the next all.
  const paths = Object.keys(document.paths).toSorted((a, b) => order(a) - order(b));
  for (const method of METHODS) {
    for (const each of method === 'delete' ? paths.toReversed() : paths) await ask(each, method);
  }
  assert.equal((await fetch(`${service.url}${SPACE}/devices/boiler-1`)).status, 404);
});

function order(template: string): number {
  const kinds = ['devicemodels', 'devices', 'rollouts'];
  const depth = template.split('/').length * 10;
  const asks = template.endsWith('/query') ? 1000 : 0;
  return asks + depth + kinds.findIndex((kind) => template.includes(`/${kind}`));
}
