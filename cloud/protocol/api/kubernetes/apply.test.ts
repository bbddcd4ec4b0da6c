import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '@limpet/dmi';
import type { Resource } from '@limpet/dmi/manifest';
import type { Document, Edit } from '../backend.ts';
import { merging, replacement } from '../edits.ts';
import { ApiError } from '../status.ts';
import { device, target } from '../testing.ts';
import { applying } from './apply.ts';
import { jsonPatching, patchedOrders } from './json-patch.ts';
import { owned } from './ownership.ts';

const TARGET = target('a');
const TIME = '2026-11-22T03:00:00Z';
const TYPE = {
  apiVersion: 'limpet.dev/v1',
  kind: 'Device',
  metadata: { name: 'a', namespace: 'default' },
};

/** What was written is what the next edit finds. */
class Life {
  now: Resource | undefined;

  do(edit: Edit): this {
    this.now = edit(this.now) as unknown as Resource;
    return this;
  }

  apply(manager: string, spec: Document, more: { force?: boolean; labels?: Document } = {}): this {
    const { force = false, labels } = more;
    const metadata = { ...TYPE.metadata, ...(labels && { labels }) };
    return this.do(applying(TARGET, { ...TYPE, metadata, spec }, { manager, force, time: TIME }));
  }

  patch(manager: string, patch: Document, time = TIME): this {
    return this.do(owned(merging(TARGET, patch), { manager, time }));
  }

  get spec(): Json {
    return (this.now as unknown as Document)['spec'] ?? null;
  }

  /** As `manager operation fields`. */
  owners(): string[] {
    const entries = this.now?.metadata.managedFields ?? [];
    return entries.map(({ manager, operation, fieldsV1 }) => {
      return `${manager} ${operation} ${JSON.stringify(fieldsV1).replaceAll(/"|f:|\{\}/g, '')}`;
    });
  }
}

const BASE = { model: 'boiler', node: 'n1', settings: { unit: 1 } };

function conflictOf(task: () => unknown): ApiError {
  try {
    task();
  } catch (error) {
    assert.ok(error instanceof ApiError, String(error));
    assert.equal(error.reason, 'Conflict');
    return error;
  }
  return assert.fail('there was no conflict');
}

test('who applies owns what it gives, and what it no longer gives goes', () => {
  const life = new Life().apply('ann', { ...BASE, desired: { x: 1, y: 2 } });
  assert.deepEqual(life.owners(), [
    'ann Apply {spec:{model:,node:,settings:{unit:},desired:{x:,y:}}}',
  ]);
  life.apply('ann', { ...BASE, desired: { y: 3 } });
  assert.deepEqual(life.spec, { ...BASE, desired: { y: 3 } });
  life.apply('ann', { ...BASE, settings: {} });
  assert.deepEqual(life.spec, { ...BASE, settings: {} });
});

test('another applier conflicts by name and field, may take the field, or share its value', () => {
  const life = new Life().apply('ann', { ...BASE, desired: { x: 1, y: 2 } });
  const error = conflictOf(() => life.apply('bob', { desired: { x: 9, z: 1 } }));
  assert.deepEqual(error.details.causes, [
    {
      field: '.spec.desired.x',
      reason: 'FieldManagerConflict',
      message: 'conflict with "ann" using limpet.dev/v1',
    },
  ]);
  life.apply('bob', { desired: { y: 2 } });
  assert.deepEqual(life.owners()[1], 'bob Apply {spec:{desired:{y:}}}');
  life.apply('bob', { desired: { x: 9, y: 2 } }, { force: true });
  assert.deepEqual(life.owners(), [
    'ann Apply {spec:{model:,node:,settings:{unit:},desired:{y:}}}',
    'bob Apply {spec:{desired:{x:,y:}}}',
  ]);
  // Shared: it stays for the other.
  life.apply('ann', BASE);
  assert.deepEqual(life.spec, { ...BASE, desired: { x: 9, y: 2 } });
  life.apply('bob', {});
  assert.deepEqual(life.spec, BASE);
});

test('an update takes what it changes from whoever had it, and the applier then conflicts', () => {
  const life = new Life().apply('ann', { ...BASE, desired: { x: 1 } }, { labels: { a: 'b' } });
  life.patch('limpet', { spec: { desired: { x: 5 } } });
  assert.deepEqual(life.owners(), [
    'ann Apply {metadata:{labels:{a:}},spec:{model:,node:,settings:{unit:}}}',
    'limpet Update {spec:{desired:{x:}}}',
  ]);
  const conflict = conflictOf(() => life.apply('ann', { ...BASE, desired: { x: 1 } }));
  assert.match(conflict.message, /Apply failed with 1 conflict: conflict with "limpet"/);
  life.patch('limpet', { spec: { desired: null } });
  assert.equal(life.owners().length, 1, 'who owns nothing is not named');
});

test('an update that changes nothing leaves owners and times alone', () => {
  const life = new Life().apply('ann', BASE).patch('bob', { spec: { node: 'n2' } });
  const before = life.now;
  life.patch('bob', { spec: { node: 'n2' } }, '2027-01-01T00:00:00Z');
  life.apply('ann', { model: 'boiler', settings: { unit: 1 } });
  assert.deepEqual(life.now?.metadata.managedFields?.[1], before?.metadata.managedFields?.[1]);
  const { metadata: _, ...rest } = life.now as unknown as Document;
  assert.deepEqual(rest['spec'], { ...BASE, node: 'n2' });
});

test('updaters beyond ten become one, and managedFields can be given, cleared, or are refused as nonsense', () => {
  const life = new Life().apply('ann', BASE);
  for (let n = 0; n < 30; n++) {
    const time = `2026-11-22T03:00:${String(n).padStart(2, '0')}Z`;
    life.patch(`m${n}`, { metadata: { labels: { [`l${n}`]: 'x' } } }, time);
  }
  const named = life.owners();
  assert.equal(named.filter((owner) => owner.includes(' Update ')).length, 10);
  assert.match(named[0] ?? '', /^ancient-changes Update \{metadata:\{labels:\{.*l0:/);
  life.patch('x', { metadata: { managedFields: [{}] } });
  assert.deepEqual(life.owners(), []);
  life.apply('ann', BASE).patch('x', { metadata: { managedFields: [{ manager: 3 }] } });
  assert.equal(life.owners().length, 1);
});

test('PUT takes all that it changes; appliers beyond fifty are refused', () => {
  const life = new Life().apply('ann', BASE);
  const doc = { ...TYPE, spec: { ...BASE, node: 'n9' } };
  life.do(owned(replacement(TARGET, doc), { manager: 'put', time: TIME }));
  assert.deepEqual(life.owners()[1], 'put Update {spec:{node:}}');
  for (let n = 0; n < 49; n++) life.apply(`applier-${n}`, { model: 'boiler' });
  assert.throws(() => life.apply('one-more', { model: 'boiler' }), { code: 413 });
});

const DEVICE = device('a') as unknown as Resource;
const FAULTS: readonly (readonly [string, Json[], RegExp])[] = [
  ['a test that fails', [{ op: 'test', path: '/spec/node', value: 'x' }], /Test failed/],
  ['a path to nowhere', [{ op: 'replace', path: '/spec/none/x', value: 1 }], /leads nowhere/],
  ['what is inherited', [{ op: 'add', path: '/toString/x', value: 1 }], /leads nowhere/],
  ['a prototype', [{ op: 'add', path: '/spec/__proto__', value: 1 }], /leads nowhere/],
  ['what is not there', [{ op: 'remove', path: '/spec/none' }], /none/],
  ['no operation', [{ op: 'jump', path: '/spec' }], /\[0\]\.op: expected one of/],
  ['no path', [{ op: 'add', path: 3, value: 1 }], /\[0\]\.path: expected a path/],
  ['no source', [{ op: 'copy', path: '/spec/x' }], /\[0\]\.from: expected a path/],
  [
    'copies of copies',
    Array.from({ length: 40 }, (_, n) => ({ op: 'copy', from: '/spec', path: `/spec/x${n}` })),
    /more than 2097152 bytes/,
  ],
];

for (const [title, operations, message] of FAULTS) {
  test(`a JSON patch with ${title} is refused`, () => {
    assert.throws(() => jsonPatching(TARGET, operations)(DEVICE), { name: 'ApiError', message });
    assert.equal(({} as Record<string, unknown>)['x'], undefined);
    assert.equal((Object.prototype.toString as unknown as Record<string, unknown>)['x'], undefined);
  });
}

test('a JSON patch changes what it says, leaves the original alone, and names the orders in it', () => {
  const operations: Json[] = [
    { op: 'test', path: '/spec/node', value: 'gateway-1' },
    { op: 'add', path: '/spec/desired', value: {} },
    { op: 'add', path: '/spec/desired/x', value: 1 },
    { op: 'add', path: '/metadata/labels', value: { 'a/b': 'c' } },
    { op: 'replace', path: '/metadata/labels/a~1b', value: 'd' },
  ];
  const before = structuredClone(DEVICE);
  const doc = jsonPatching(TARGET, operations)(DEVICE);
  assert.deepEqual((doc['spec'] as Document)['desired'], { x: 1 });
  assert.deepEqual((doc['metadata'] as Document)['labels'], { 'a/b': 'd' });
  assert.deepEqual(DEVICE, before);
  assert.deepEqual(patchedOrders(operations), ['x']);
});
