import type { Mapper } from '@limpet/dmi';
import { checkResource } from '@limpet/dmi/manifest';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Findings, MAX_FOUND, MAX_PROPERTIES } from './findings.ts';
import { labelOf, Names, propertyOf } from './names.ts';

const schema = {
  '~standard': { version: 1 as const, vendor: 'test', validate: (value: unknown) => ({ value }) },
};
const mapper: Mapper<unknown, unknown> = {
  protocol: 'plant',
  settings: schema,
  visitor: schema,
  connect: () => Promise.reject(new Error('not here')),
};
const findings = () => new Findings({ mapper, namespace: 'default', node: 'gateway-1' });
const properties = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ name: `p${n}`, type: 'int', visitor: { n } }));

test('devices that are alike share a model, others get one of their own', async () => {
  const all = findings();
  const like = (count: number) => ({
    name: 'meter',
    about: '',
    settings: {},
    model: { properties: properties(count) },
  });
  for (const count of [2, 2, 3]) await all.add(like(count));
  assert.deepEqual(
    all.all.map(({ device, model }) => [device.metadata.name, model.metadata.name]),
    [
      ['meter', 'meter'],
      ['meter-2', 'meter'],
      ['meter-3', 'meter-2'],
    ],
  );
});

test('devices that tell nothing of themselves are not alike for that', async () => {
  const all = findings();
  for (const name of ['unit-1', 'unit-7']) await all.add({ name, about: '', settings: {} });
  assert.deepEqual(
    all.all.map(({ model }) => model.metadata.name),
    ['unit-1', 'unit-7'],
  );
});

test('what is found has ceilings, and what is beyond is told', async () => {
  const many = findings();
  const model = { properties: properties(MAX_PROPERTIES - 5) };
  await many.add({ name: 'a', about: '', settings: {}, model });
  assert.equal(many.full, false);
  const more = { properties: properties(20) };
  const { notes, placed } = await many.add({ name: 'b', about: '', settings: {}, model: more });
  assert.deepEqual([placed.length, many.full, many.properties], [5, true, MAX_PROPERTIES]);
  assert.deepEqual(notes, ['15 properties left out: there may be 10000 in all']);
  const crowd = findings();
  for (let n = 0; n < MAX_FOUND; n++) await crowd.add({ name: 'a', about: '', settings: {} });
  assert.equal(crowd.full, true);
  assert.equal(crowd.all.at(-1)?.device.metadata.name, 'a-1000');
});

test('methods of a mapper that has none are left out', async () => {
  const model = { properties: properties(1), methods: [{ name: 'go', visitor: {} }] };
  const found = await findings().add({ name: 'a', about: '', settings: {}, model });
  assert.deepEqual([found.model.spec.methods, found.placed.length], [undefined, 1]);
  assert.match(found.notes[0] ?? '', /has no methods/);
});

test('what is nothing of the kind is refused', async () => {
  const wrong: unknown[] = [
    undefined,
    5,
    {},
    { name: 'a', about: 'b' },
    { name: 'a', about: 'b', settings: [] },
    { name: 'a', about: 'b', settings: {}, model: 5 },
    { name: 'a', about: 'b', settings: {}, model: { properties: [5] } },
    { name: 'a', about: 'b', settings: { deep: () => 1 } },
  ];
  for (const each of wrong) await assert.rejects(findings().add(each), TypeError);
});

test('whatever devices call things, names are fit', async () => {
  const called = ['Kühlwasser T°', '1st', '', '__proto__', 'x'.repeat(200), '💧', 'a b', 'a_b'];
  const model = { properties: called.map((name) => ({ name, type: 'int', visitor: {} })) };
  const { model: made } = await findings().add({
    name: 'Ö '.repeat(90),
    about: '',
    settings: {},
    model,
  });
  assert.deepEqual(checkResource(made), { ok: true, resource: made });
  const names = made.spec.properties.map(({ name }) => name);
  assert.deepEqual(names.slice(0, 4), ['Kuhlwasser_T_', '_st', '_', '_-2']);
  assert.deepEqual(names.slice(-2), ['a_b', 'a_b-2']);
  assert.deepEqual([labelOf('-- Röhre 5 --'), labelOf('日本')], ['rohre-5', 'device']);
  assert.equal(propertyOf('9'), '_');
  const taken = new Names();
  const long = 'y'.repeat(63);
  assert.deepEqual([taken.take(long), taken.take(long)], [long, `${'y'.repeat(61)}-2`]);
});
