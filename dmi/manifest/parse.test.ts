import assert from 'node:assert/strict';
import test from 'node:test';
import * as v from 'valibot';
import { formatFaults } from './fault.ts';
import { checkDocument, parseManifests } from './parse.ts';
import { Random } from '../testing/random.ts';
import { exact, text } from './schema.ts';

const BOILER = `apiVersion: limpet.dev/v1
kind: Device
metadata: { name: boiler-1 }
spec:
  model: boiler
  node: gateway-1
  settings:
    address: tcp://127.0.0.1:5020
    "odd key": { unit: 1 }
`;

/** `line:column path code` of each fault. */
function brief(source: string): string[] {
  return parseManifests(source, 'f.yaml').faults.map(
    ({ line, column, path, code }) => `${line}:${column} ${path} ${code}`,
  );
}

test('every document of a file is read, and a wrong one does not stop the others', () => {
  const second = BOILER.replace('boiler-1', 'boiler-2').replace('model:', 'modell:');
  const third = BOILER.replace('boiler-1', 'boiler-3');
  const { resources, faults } = parseManifests(
    ['# a comment\n', BOILER, second, 'a: [\n', third].join('---\n'),
    'plant.yaml',
  );
  assert.deepEqual(
    resources.map(({ resource, line }) => [resource.metadata.name, line]),
    [
      ['boiler-1', 3],
      ['boiler-3', 25],
    ],
  );
  assert.deepEqual(
    faults.map(({ file, line, path, code }) => [file, line, path, code]),
    [
      ['plant.yaml', 17, 'spec.model', 'FIELD_MISSING'],
      ['plant.yaml', 17, 'spec.modell', 'FIELD_UNKNOWN'],
      ['plant.yaml', 24, '', 'YAML_INVALID'],
    ],
  );
});

test('a fault stands at the line and column of the value, of an unknown field at its name', () => {
  const source = `${BOILER}  nodes: x\n`.replace('gateway-1', 'Gateway');
  assert.deepEqual(brief(source), ['6:9 spec.node FIELD_INVALID', '10:3 spec.nodes FIELD_UNKNOWN']);
});

test('later faults can be placed by path, through odd keys, lists and aliases', () => {
  const { resources } = parseManifests(BOILER, 'f.yaml');
  const [boiler] = resources;
  assert.ok(boiler);
  assert.deepEqual(boiler.locate('spec.settings.address'), { file: 'f.yaml', line: 8, column: 14 });
  assert.equal(boiler.locate('spec.settings["odd key"].unit').column, 24);
  assert.equal(boiler.locate('spec.settings["odd key"].unit', 'key').column, 18);
  // What is absent is placed at the nearest thing above it.
  assert.deepEqual(boiler.locate('spec.settings.baud.rate'), boiler.locate('spec.settings'));
});

test('faults print as file:line:column: path: message', () => {
  const { faults } = parseManifests('kind: Devise', 'plant.yaml');
  assert.equal(
    formatFaults(faults),
    'plant.yaml:1:7: kind: "kind" must be one of DeviceModel, Device, Node, Rollout; found text. Did you mean "Device"?',
  );
  assert.equal(formatFaults([{ path: '', code: 'X', message: 'm' }]), 'm');
});

test('the same resource twice in a file is a fault that names the first', () => {
  const { resources, faults } = parseManifests(`${BOILER}---\n${BOILER}`, 'f.yaml');
  assert.equal(resources.length, 1);
  assert.match(faults[0]?.message ?? '', /already stands in line 1/);
});

test('duplicate keys, unknown tags and aliases to nowhere are refused', () => {
  assert.deepEqual(brief('a: 1\na: 2'), ['2:1  YAML_INVALID']);
  assert.deepEqual(brief('a: !secret x'), ['1:4  YAML_INVALID']);
  assert.equal(brief('a: *nowhere').length, 1);
});

test('a small file that unfolds to a huge value is refused', () => {
  const levels = Array.from({ length: 12 }, (_, level) => {
    const alias = `*a${level - 1}`;
    const items = level === 0 ? 'x' : Array.from({ length: 9 }, () => alias).join(', ');
    return `a${level}: &a${level} [${items}]`;
  });
  assert.deepEqual(brief(levels.join('\n')), ['1:1  YAML_ALIAS']);
});

test('nesting without end and files without end are refused, with few words', () => {
  const deep = parseManifests('['.repeat(100_000), 'f.yaml').faults;
  assert.ok(deep.length > 0 && deep.length <= 20);
  assert.match(parseManifests('#'.repeat(16_777_217), 'f').faults[0]?.message ?? '', /split it/);
});

test('nothing, comments and empty documents hold nothing', () => {
  for (const empty of ['', '# only\n', '---\n---\n']) {
    assert.deepEqual(parseManifests(empty, 'f'), { resources: [], faults: [] });
  }
});

test('JSON is YAML too', () => {
  const json = JSON.stringify({
    apiVersion: 'limpet.dev/v1',
    kind: 'Node',
    metadata: { name: 'a' },
    spec: {},
  });
  assert.equal(parseManifests(json, 'f').resources.length, 1);
});

test('configuration is checked against a schema of ours, with the same faults', () => {
  const schema = exact({
    node: text('a name', (name) => name !== ''),
    port: v.optional(v.number(), 1883),
  });
  assert.deepEqual(checkDocument(schema, 'node: a', 'limpet.yaml'), {
    ok: true,
    value: { node: 'a', port: 1883 },
  });
  const checked = checkDocument(schema, 'nod: a\nport: "x"\n', 'limpet.yaml');
  assert.ok(!checked.ok);
  assert.equal(
    formatFaults(checked.faults),
    [
      'limpet.yaml:1:1: node: "node" is missing: add it, a name',
      'limpet.yaml:2:7: port: "port" must be a number; found text',
      'limpet.yaml:1:1: nod: "nod" is not a field that is known here: remove it or mend its name. Did you mean "node"?',
    ].join('\n'),
  );
  for (const source of ['', 'node: a\n---\nnode: b', '- a', 'a: [']) {
    const refused = checkDocument(schema, source, 'limpet.yaml');
    assert.ok(!refused.ok && refused.faults.every(({ line }) => line !== undefined), source);
  }
});

test('no mangled manifest makes the parser throw, and every fault has a place', () => {
  const pieces = [
    '---\n',
    '\n',
    ': ',
    '[',
    '{',
    '"',
    '*a',
    '&a ',
    '- ',
    '\t',
    '!!x ',
    '\u0000',
    '|\n',
    '__proto__: 1',
    'é',
  ];
  for (let seed = 1; seed <= 1000; seed++) {
    const random = new Random(seed);
    let source = `${BOILER}---\n${BOILER}`;
    for (let cuts = 1 + random.below(4); cuts > 0; cuts--) {
      const at = random.below(source.length);
      const piece = pieces[random.below(pieces.length)] ?? '';
      source = source.slice(0, at) + piece + source.slice(at + random.below(12));
    }
    for (const each of parseManifests(source, 'f.yaml').faults) {
      assert.ok((each.line ?? 0) > 0 && (each.column ?? 0) > 0, `seed ${seed}`);
      assert.ok((each.line ?? 0) <= source.split('\n').length, `seed ${seed}`);
    }
  }
});

test('a file of faults without end is read as far as it is worth it', () => {
  const { faults } = parseManifests('---\na: 1\n'.repeat(100_000), 'f.yaml');
  assert.ok(faults.length <= 110);
  assert.equal(faults.at(-1)?.code, 'TOO_MANY_FAULTS');
});

test('a document with more words than there is memory for is refused before it is parsed; its neighbours count', () => {
  const { resources, faults } = parseManifests(
    `${BOILER}---\n${'- a\n'.repeat(5_000)}`,
    'f.yaml',
    1_000,
  );
  assert.equal(resources.length, 1);
  assert.equal(faults.length, 1);
  assert.match(faults[0]?.message ?? '', /too long for YAML/);
  assert.ok((faults[0]?.line ?? 0) > 5);
});
