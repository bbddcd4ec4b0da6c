import { defineMapper, type Json, type Mapper, type Schema } from '@limpet/dmi';
import {
  checkSettings,
  checkVisitors,
  type Device,
  type DeviceModel,
  exact,
  parseManifests,
  text,
} from '@limpet/dmi/manifest';
import { readExample } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import * as v from 'valibot';
import bluetooth from '../../../mappers/bluetooth/mapper.ts';
import modbus from '../../../mappers/modbus/mapper.ts';
import mqtt from '../../../mappers/mqtt/mapper.ts';
import opcua from '../../../mappers/opcua/mapper.ts';
import { runLimpet } from '../../testing/run-limpet.ts';
import { fieldsOf } from './fields.ts';
import { describe } from './run.ts';
import { jsonSchemaOf } from './schema.ts';
import { fieldTable } from './table.ts';

const MAPPERS = path.join(import.meta.dirname, '../../../mappers');

function mapperOf(settings: Schema<unknown>, visitor: Schema<unknown> = settings) {
  return defineMapper({
    protocol: 'thing',
    settings,
    visitor,
    connect: () => Promise.reject(new Error('not here')),
  });
}

test('every field of the Modbus mapper says what it is for, and its README names each with its default', () => {
  const { form } = describe(modbus);
  const readme = readFileSync(path.join(MAPPERS, 'modbus/README.md'), 'utf8');
  for (const { name, help, default: usual } of [...form.settings, ...form.visitor]) {
    assert.ok(help, `${name} needs a description in the schema`);
    const at = readme.indexOf(`\`${name}\``);
    assert.ok(at >= 0, `README.md does not name \`${name}\``);
    if (usual === undefined) continue;
    const near = readme.slice(at, at + 160);
    assert.ok(
      near.includes(JSON.stringify(usual).replaceAll('"', '')),
      `README.md does not say that ${name} is ${JSON.stringify(usual).replaceAll('"', '')}`,
    );
  }
});

test('every field of the other mappers says what it is for, and their examples are what they take', async () => {
  const mappers: Readonly<Record<string, Mapper<unknown, unknown>>> = {
    bluetooth: bluetooth as Mapper<unknown, unknown>,
    mqtt: mqtt as Mapper<unknown, unknown>,
    opcua: opcua as Mapper<unknown, unknown>,
  };
  for (const [name, mapper] of Object.entries(mappers)) {
    const { settings, visitor } = describe(mapper).form;
    const silent = [...settings, ...visitor].filter(({ help }) => help === undefined);
    assert.deepEqual(
      silent.map((field) => field.name),
      [],
      name,
    );
    const file = path.join(MAPPERS, name, 'example.yaml');
    const { properties } = await readExample(readFileSync(file, 'utf8'), mapper, { file });
    assert.ok(properties.length > 1, name);
  }
});

test('the model of a declaration is one that its mapper takes', async () => {
  for (const mapper of [modbus, opcua, mqtt] as readonly Mapper<unknown, unknown>[]) {
    const { model } = describe(mapper);
    const { resources, faults } = parseManifests(
      model.map((each) => JSON.stringify(each)).join('\n---\n'),
      'x',
    );
    assert.deepEqual(faults, []);
    const [first, second] = resources.map(({ resource }) => resource);
    assert.deepEqual((await checkVisitors(mapper, first as DeviceModel)).faults, []);
    assert.equal((await checkSettings(mapper, second as Device)).ok, true);
  }
});

const settings = v.strictObject({
  address: v.pipe(
    v.string(),
    v.examples(['a|b']),
    v.transform(Number),
    v.title('Where'),
    v.description('after a transform'),
  ),
  mode: v.optional(v.picklist(['fast', 'slow']), 'fast'),
  level: v.optional(v.pipe(v.number(), v.minValue(1))),
  tls: v.optional(v.strictObject({ ca: v.pipe(v.string(), v.description('PEM')) })),
  on: v.boolean(),
  list: v.optional(v.array(v.string())),
  any: v.optional(v.unknown()),
});

test('a form has each field with its kind, limits, choices and words', () => {
  assert.deepEqual(fieldsOf(jsonSchemaOf(settings)), [
    {
      name: 'address',
      label: 'Where',
      kind: 'text',
      required: true,
      help: 'after a transform',
      examples: ['a|b'],
    },
    {
      name: 'mode',
      label: 'Mode',
      kind: 'choice',
      required: false,
      choices: ['fast', 'slow'],
      default: 'fast',
    },
    { name: 'level', label: 'Level', kind: 'number', required: false, minimum: 1 },
    {
      name: 'tls',
      label: 'Tls',
      kind: 'object',
      required: false,
      fields: [{ name: 'ca', label: 'Ca', kind: 'text', required: true, help: 'PEM' }],
    },
    { name: 'on', label: 'On', kind: 'switch', required: true },
    { name: 'list', label: 'List', kind: 'list', required: false },
    { name: 'any', label: 'Any', kind: 'json', required: false },
  ]);
  const table = fieldTable(fieldsOf(jsonSchemaOf(settings)));
  assert.match(table, /\| `tls\.ca` +\| PEM +\| text +\| required \|/);
  assert.match(table, /`a\\\|b`/);
  assert.match(table, /\| number from 1 /);
});

test('of visitors with several shapes a field is required where all shapes require it', () => {
  const shapes = v.variant('from', [
    v.strictObject({ from: v.literal('a'), id: v.pipe(v.number(), v.description('its number')) }),
    v.strictObject({ from: v.literal('b'), id: v.number(), name: v.string() }),
  ]);
  const fields = fieldsOf(jsonSchemaOf(shapes));
  assert.deepEqual(
    fields.map(({ name, required, help }) => [name, required, help]),
    [
      ['from', true, undefined],
      ['id', true, 'its number'],
      ['name', false, undefined],
    ],
  );
});

test('our own building blocks are told as well, and other libraries by the standard', () => {
  const own = exact({ note: v.optional(v.string()), name: text('a name', () => true) });
  const fields = fieldsOf(jsonSchemaOf(own as Schema<unknown>));
  assert.deepEqual(
    fields.map(({ name, kind, required, help }) => [name, kind, required, help]),
    [
      ['note', 'text', false, undefined],
      ['name', 'text', true, 'a name'],
    ],
  );
  const validate = (value: unknown) => ({ value });
  const told: Json = { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] };
  const standard = {
    version: 1 as const,
    vendor: 'other',
    validate,
    jsonSchema: { input: () => told },
  };
  assert.equal(describe(mapperOf({ '~standard': standard })).form.settings[0]?.whole, true);
  const silent = { version: 1 as const, vendor: 'other', validate };
  assert.throws(() => describe(mapperOf({ '~standard': silent })), { code: 'SCHEMA_UNKNOWN' });
});

test('describe prints what is asked for', async () => {
  const folder = path.join(MAPPERS, 'modbus');
  const [table, schema, form, model, json] = await Promise.all(
    [[], ['--json-schema'], ['--form'], ['--model'], ['--json']].map((flags) =>
      runLimpet(['mapper', 'describe', folder, ...flags]),
    ),
  );
  assert.match(table?.out ?? '', /^# modbus\n[^]*\| `register` /);
  const said = JSON.parse(schema?.out ?? '') as { settings: { type: string } };
  assert.equal(said.settings.type, 'object');
  assert.ok(Array.isArray((JSON.parse(form?.out ?? '') as { visitor: unknown }).visitor));
  assert.match(model?.out ?? '', /^apiVersion: limpet\.dev\/v1\nkind: DeviceModel\n/);
  assert.deepEqual(Object.keys(JSON.parse(json?.out ?? '') as object), [
    'protocol',
    'settings',
    'visitor',
    'form',
    'model',
  ]);
});
