import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkResource, type Device, type Kind, type Resource } from '@limpet/dmi/manifest';
import { formOf } from '../accept.ts';
import { shapeOf } from '../shape.ts';
import { device } from '../testing.ts';
import { openapi } from './openapi.ts';
import { type Schema, schemaOf } from './schemas.ts';

const NOW = Date.UTC(2026, 10, 22);
const KUBECTL =
  'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json';

const FORMS: readonly (readonly [string | undefined, ReturnType<typeof formOf>])[] = [
  [undefined, 'whole'],
  ['*/*', 'whole'],
  ['application/json', 'whole'],
  [KUBECTL, 'table'],
  ['application/json, application/json;as=Table;v=v1;g=meta.k8s.io', 'whole'],
  ['application/json;as=Table;v=v2;g=meta.k8s.io', 'whole'],
  [
    'application/vnd.kubernetes.protobuf,application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
    'metadata',
  ],
];

for (const [accept, form] of FORMS) {
  test(`Accept: ${accept ?? '(none)'} asks for the form ${form}`, () => {
    assert.equal(formOf(accept), form);
  });
}

const SHOWN: Device = {
  ...device('a'),
  metadata: {
    ...device('a').metadata,
    resourceVersion: '7',
    creationTimestamp: '2026-11-20T22:00:00Z',
  },
  status: {
    state: 'online',
    lastSeen: '2026-11-21T23:59:51.000Z',
    twin: {
      x: {
        reported: { value: 1, at: '', quality: 'good' },
        desired: { value: 1, rev: 1, verdict: 'pending', stages: { accepted: '' } },
      },
      y: { reported: { value: null, at: '', quality: 'bad' } },
    },
  },
};

test('a row has a cell for each column; wide ones have a priority; watched, columns come once', async () => {
  const shape = await shapeOf('table', 'Metadata', () => NOW);
  const head = JSON.parse(`${shape.opening('Device')}]}`) as {
    columnDefinitions: { name: string; priority: number }[];
  };
  const row = shape.item(SHOWN) as { cells: unknown[]; object: Resource };
  const cells = head.columnDefinitions.map(
    ({ name }, index) => `${name}=${String(row.cells[index])}`,
  );
  assert.deepEqual(cells, [
    'Name=a',
    'State=online',
    'Node=gateway-1',
    'Model=boiler',
    'Good=1/2',
    'Orders=1/1',
    'Age=26h',
    'Last seen=9s',
    'Reason=',
    'Description=',
  ]);
  assert.equal(row.cells.length, head.columnDefinitions.length);
  assert.deepEqual(Object.keys(row.object), ['kind', 'apiVersion', 'metadata']);
  const watched = shape.watched('Device');
  const columns = (event: unknown) => (event as { columnDefinitions: unknown[] }).columnDefinitions;
  assert.equal(columns(watched(SHOWN)).length, 10);
  assert.equal(columns(watched(SHOWN)).length, 0);
  const none = (await shapeOf('table', 'None', () => NOW)).item(SHOWN) as { object?: unknown };
  assert.equal(none.object, undefined);
});

const KNOWN = /Known here: ([^.]+)\./;
const DOCS: Readonly<Record<Kind, Record<string, unknown>>> = {
  Device: { spec: {} },
  DeviceModel: {
    spec: { properties: [{ qqqqqq: 1 }], methods: [{ qqqqqq: 1, input: [{ qqqqqq: 1 }] }] },
  },
  Node: { spec: {} },
  Rollout: { spec: {} },
};

for (const kind of Object.keys(DOCS) as Kind[]) {
  test(`what is told of a ${kind} by OpenAPI is what is checked`, () => {
    const strange = { qqqqqq: 1 };
    const doc = DOCS[kind];
    const checked = checkResource({
      kind,
      ...strange,
      metadata: { ...strange },
      ...doc,
      spec: { ...(doc['spec'] as object), ...strange },
    });
    assert.equal(checked.ok, false);
    const told = checked.faults.filter(({ message }) => KNOWN.test(message));
    assert.ok(told.length >= 3);
    for (const { path, message } of told) {
      const known = KNOWN.exec(message)?.[1]?.split(', ').toSorted();
      assert.deepEqual(membersAt(kind, path), known, path);
    }
  });
}

/** The names that the schema knows where a fault is: `spec.properties[0].qqqqqq`. */
function membersAt(kind: Kind, path: string): string[] {
  const document = openapi({ is: 'openapi', version: 3, group: 'limpet' }, '1') as unknown as {
    components: { schemas: Record<string, Schema> };
  };
  let schema: Schema = schemaOf(kind, '');
  for (const name of path
    .replaceAll(/\[\d+\]/g, '.items')
    .split('.')
    .slice(0, -1)) {
    if (name === 'metadata') schema = document.components.schemas['dev.limpet.v1.Metadata'] ?? {};
    else schema = (name === 'items' ? schema['items'] : membersOf(schema)[name]) as Schema;
  }
  const names = Object.keys(membersOf(schema));
  // No check looks at the status of what has none, and nodes have no namespace.
  if (path === 'qqqqqq' && kind === 'DeviceModel') names.push('status');
  return names.filter((name) => !(kind === 'Node' && name === 'namespace')).toSorted();
}

function membersOf(schema: Schema): Record<string, Schema> {
  return (schema['properties'] ?? {}) as Record<string, Schema>;
}

test('every reference in the OpenAPI documents leads somewhere, and every operation names its kind', () => {
  for (const place of [
    { is: 'openapi', version: 2 },
    { is: 'openapi', version: 3, group: 'limpet' },
  ] as const) {
    const document = openapi(place, '1');
    const text = JSON.stringify(document);
    for (const [, reference = ''] of text.matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      const found = reference
        .split('/')
        .reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], document);
      assert.ok(found, reference);
    }
    assert.match(text, /"x-kubernetes-action":"patch","x-kubernetes-group-version-kind"/);
    assert.match(text, /"name":"fieldValidation"/);
  }
});
