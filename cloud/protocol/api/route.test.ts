import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { route, writeToken } from './route.ts';
import { allowed } from './place.ts';
import { ApiError } from './status.ts';

const V1 = '/apis/limpet.dev/v1';
const ALL = { labels: [], fields: [] };
const LOOK = { include: 'Metadata' };
const WRITE = { dryRun: false, force: false };
const BOILER = { kind: 'Device', namespace: 'default', name: 'boiler-1' };

const ROUTES: readonly (readonly [method: string, url: string, expected: object])[] = [
  ['GET', `${V1}/devices`, { verb: 'list', ...LOOK, query: { kind: 'Device', selection: ALL } }],
  [
    'GET',
    `${V1}/namespaces/hall/devicemodels/`,
    { verb: 'list', ...LOOK, query: { kind: 'DeviceModel', namespace: 'hall', selection: ALL } },
  ],
  [
    'GET',
    `${V1}/nodes?limit=5&continue=${writeToken(7, 'gateway-1')}`,
    {
      verb: 'list',
      ...LOOK,
      query: { kind: 'Node', selection: ALL },
      limit: 5,
      resume: { version: 7, after: 'gateway-1' },
    },
  ],
  ['GET', `${V1}/namespaces/default/devices/boiler-1`, { verb: 'get', ...LOOK, target: BOILER }],
  ['HEAD', `${V1}/namespaces/default/devices/boiler%2D1`, { verb: 'get', ...LOOK, target: BOILER }],
  [
    'PUT',
    `${V1}/namespaces/default/devices/boiler-1`,
    { verb: 'replace', target: BOILER, writing: WRITE },
  ],
  [
    'DELETE',
    `${V1}/namespaces/default/devices/boiler-1`,
    { verb: 'remove', target: BOILER, writing: WRITE },
  ],
  [
    'PATCH',
    `${V1}/namespaces/default/devices/boiler-1?expires=30s&fieldManager=kubectl`,
    {
      verb: 'patch',
      target: BOILER,
      writing: { ...WRITE, expiresMs: 30_000, manager: 'kubectl' },
    },
  ],
  [
    'POST',
    `${V1}/namespaces/default/devices`,
    { verb: 'create', scope: { kind: 'Device', namespace: 'default' }, writing: WRITE },
  ],
  [
    'GET',
    `${V1}/nodes/gateway-1`,
    { verb: 'get', ...LOOK, target: { kind: 'Node', name: 'gateway-1' } },
  ],
  [
    'GET',
    `${V1}/devices?watch=1&resourceVersion=12&allowWatchBookmarks=true&timeoutSeconds=9&labelSelector=a%3Db&fieldSelector=spec.node%3Dg`,
    {
      verb: 'watch',
      ...LOOK,
      marksInitial: false,
      query: {
        kind: 'Device',
        selection: {
          labels: [{ key: 'a', operator: 'in', values: ['b'] }],
          fields: [{ field: 'spec.node', operator: '=', value: 'g' }],
        },
      },
      bookmarks: true,
      since: 12,
      timeoutMs: 9000,
    },
  ],
  [
    'GET',
    `${V1}/devices?watch=true&resourceVersion=0`,
    {
      verb: 'watch',
      ...LOOK,
      query: { kind: 'Device', selection: ALL },
      bookmarks: false,
      marksInitial: false,
    },
  ],
  [
    'GET',
    `${V1}/devices?watch=1&sendInitialEvents=true&allowWatchBookmarks=1&resourceVersion=12&includeObject=None`,
    {
      verb: 'watch',
      include: 'None',
      query: { kind: 'Device', selection: ALL },
      bookmarks: true,
      marksInitial: true,
    },
  ],
  [
    'DELETE',
    `${V1}/namespaces/default/devices?dryRun=All`,
    {
      verb: 'removeAll',
      query: { kind: 'Device', namespace: 'default', selection: ALL },
      writing: { ...WRITE, dryRun: true },
    },
  ],
  ['GET', `${V1}/nodes/a/status`, { verb: 'get', ...LOOK, target: { kind: 'Node', name: 'a' } }],
  [
    'GET',
    '/api/v1/namespaces/hall',
    { verb: 'kubernetes', place: { is: 'namespace', name: 'hall' }, method: 'GET' },
  ],
  ['GET', '/apis/', { verb: 'read', path: '/apis' }],
  ['GET', '/version?timeout=32s', { verb: 'read', path: '/version' }],
  ['OPTIONS', `${V1}/devices`, { verb: 'options', allow: ['GET', 'HEAD', 'DELETE'] }],
];

for (const [method, url, expected] of ROUTES) {
  test(`${method} ${url} is ${JSON.stringify(expected).slice(0, 80)}`, () => {
    assert.deepEqual(route(method, url), expected);
  });
}

const REFUSALS: readonly (readonly [method: string, url: string, code: number, message: RegExp])[] =
  [
    ['GET', '/', 404, /it has \/apis\/limpet\.dev\/v1\/namespaces\/NAMESPACE\/devices\[\/NAME\]/],
    ['GET', `${V1}/devices/boiler-1`, 404, /nothing at/],
    ['GET', `${V1}/namespaces/default/nodes`, 404, /nothing at/],
    ['GET', `${V1}/namespaces/default/nodes/gateway-1`, 404, /nothing at/],
    ['GET', `${V1}/namespaces/default`, 404, /nothing at/],
    ['PUT', `${V1}/namespaces/default/devices/boiler-1/status`, 405, /told by its node/],
    ['GET', `${V1}/pods`, 404, /nothing at "\/apis\/limpet\.dev\/v1\/pods"/],
    ['GET', `${V1}/namespaces/default/devices/a%2Fb`, 400, /"a\/b" is no name of a device/],
    ['GET', `${V1}/namespaces/default/devices/%zz`, 400, /not valid percent-encoding/],
    ['GET', `${V1}/namespaces/../devices/x`, 400, /no name of a namespace/],
    ['POST', `${V1}/devices`, 405, /GET, HEAD, DELETE are/],
    ['PATCH', `${V1}/namespaces/default/devices`, 405, /GET, HEAD, POST, DELETE are/],
    ['DELETE', '/version', 405, /GET, HEAD are/],
    ['HEAD', `${V1}/devices?watch=1`, 405, /use GET/],
    [
      'GET',
      `${V1}/devices?labelselector=a`,
      400,
      /"labelselector" is not known.*Did you mean "labelSelector"/,
    ],
    ['GET', `${V1}/devices?limit=many`, 400, /limit: expected a whole number, found "many"/],
    ['GET', `${V1}/devices?limit=1&limit=2`, 400, /"limit" is given twice/],
    ['GET', `${V1}/devices?watch=yes`, 400, /watch: expected true, false, 1 or 0, found "yes"/],
    [
      'GET',
      `${V1}/devices?watch=1&resourceVersion=x`,
      400,
      /resourceVersion: expected a whole number/,
    ],
    ['GET', `${V1}/devices?continue=x`, 400, /continue: not a token/],
    ['GET', `${V1}/devices?resourceVersion=1&resourceVersionMatch=Exact`, 410, /present state/],
    ['GET', `${V1}/namespaces/default/devices/a?watch=1`, 400, /fieldSelector=metadata\.name=a/],
    [
      'PATCH',
      `${V1}/namespaces/default/devices/a?expires=soon`,
      400,
      /like 500ms, 30s or 5m, found "soon"/,
    ],
    ['PATCH', `${V1}/namespaces/default/devices/a?expires=0s`, 400, /above zero/],
    ['POST', `${V1}/namespaces/default/devices?dryRun=some`, 400, /dryRun: expected All/],
  ];

for (const [method, url, code, message] of REFUSALS) {
  test(`${method} ${url} is refused with ${code}`, () => {
    assert.throws(() => route(method, url), { name: 'ApiError', code, message });
  });
}

test('no request line makes anything but a route or an ApiError', () => {
  const piece = fc.oneof(
    fc.constantFrom('apis', 'limpet.dev', 'v1', 'namespaces', 'devices', 'nodes', 'a', '', '..'),
    fc.string({ unit: 'binary' }),
  );
  const path = fc.array(piece).map((pieces) => `/${pieces.join('/')}`);
  const rooted = fc.array(piece).map((pieces) => `${V1}/${pieces.join('/')}`);
  const query = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .tuple(
        fc.constantFrom(
          'labelSelector',
          'fieldSelector',
          'limit',
          'continue',
          'watch',
          '__proto__',
        ),
        fc.string({ unit: 'binary' }),
      )
      .map(([name, value]) => `${name}=${encodeURIComponent(value.toWellFormed())}`),
  );
  const method = fc.oneof(fc.constantFrom('GET', 'POST', 'PATCH', 'OPTIONS'), fc.string());
  fc.assert(
    fc.property(method, fc.oneof(path, rooted, fc.string()), query, (verb, place, rest) => {
      const url = `${place}?${rest}`;
      try {
        assert.ok(route(verb, url).verb.length > 0);
      } catch (error) {
        assert.ok(error instanceof ApiError, String(error));
        assert.notEqual(error.code, 500);
      }
      assert.ok(Array.isArray(allowed(url)));
    }),
    { numRuns: 3000 },
  );
});
