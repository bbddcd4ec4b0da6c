import assert from 'node:assert/strict';
import test from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Random } from '../testing/random.ts';
import { type Located, parseManifests } from './parse.ts';

const HEAD = `# the plant
apiVersion: limpet.dev/v1
kind: DeviceModel
metadata: { name: large }
spec:
  protocol: modbus
`;

/** Properties as people write them, in several styles. */
function properties(count: number, indent = '    '): string[] {
  const random = new Random(7);
  return Array.from({ length: count }, (_, n) => {
    const lines = [
      `- name: p${n}`,
      '  type: float',
      ...(random.below(3) === 0 ? ['  # of the boiler', ''] : []),
      ...(random.below(3) === 0
        ? ['  description: |', '    - no item', '    properties:', '', '    # no comment']
        : []),
      ...(random.below(2) === 0
        ? [`  visitor: { register: holding, address: ${n}, type: int16,`, '    scale: 0.1 }']
        : ['  visitor:', '    register: holding', `    address: ${n}`]),
    ];
    return lines.map((line) => `${indent}${line}\n`).join('');
  });
}

const specOf = (located: Located | undefined) =>
  (located?.resource.spec ?? {}) as { description?: string; properties?: { unit?: string }[] };

/** What one document may have at once on the smallest node. */
const LEXEMES = 60_000;

test('a model of thousands of properties is read with the memory of a small part of it', () => {
  for (const indent of ['  ', '          ']) {
    const items = properties(1_500, indent);
    const source = `${HEAD}  properties: # all\n# here\n${items.join('')}  description: after\n`;
    const { resources, faults } = parseManifests(source, 'f.yaml', LEXEMES);
    assert.deepEqual(faults, []);
    // Each part of it alone is parsed as a whole.
    const parts = [0, 500, 1_000].flatMap((from) => {
      const text = `${HEAD}  "properties":\n${items.slice(from, from + 500).join('')}`;
      const {
        resources: [part],
      } = parseManifests(text, 'part.yaml');
      return specOf(part).properties ?? [];
    });
    assert.equal(parts.length, 1_500);
    const [model] = resources;
    assert.deepEqual(model?.resource.spec, {
      protocol: 'modbus',
      properties: parts,
      description: 'after',
    });
  }
});

test('what is wrong in it stands at its line and column, wherever it is', () => {
  const items = properties(2_000);
  items[1_234] = items[1_234]?.replace('type: float', 'type: flot') ?? '';
  const source = `---\na: 1\n---\n${HEAD}  properties:\n${items.join('')}  descripton: typo\n`;
  const { faults } = parseManifests(source, 'f.yaml', LEXEMES);
  const lines = source.split('\n');
  const at = (text: string): number => lines.findIndex((line) => line.includes(text)) + 1;
  assert.deepEqual(
    faults.slice(-2).map(({ line, column, path, code }) => [line, column, path, code]),
    [
      [at('flot'), 13, 'spec.properties[1234].type', 'FIELD_TYPE'],
      [at('descripton'), 3, 'spec.descripton', 'FIELD_UNKNOWN'],
    ],
  );
  // Where it is no YAML, too.
  items[1_500] = '    - name: [\n';
  const broken = parseManifests(`${HEAD}  properties:\n${items.join('')}`, 'f.yaml', LEXEMES);
  assert.equal(broken.faults[0]?.code, 'YAML_INVALID');
  assert.ok(
    Math.abs((broken.faults[0].line ?? 0) - 8 - items.slice(0, 1_500).join('').split('\n').length) <
      12,
  );
});

test('what only looks like the list of a large model is read as a whole', () => {
  const items = properties(1_500).join('');
  const text = `${HEAD}  description: |\n    properties:\n${items.trimEnd().replaceAll(/^/gm, '  ')}\n  properties: []\n`;
  const [described] = parseManifests(text, 'f.yaml').resources;
  assert.match(specOf(described).description ?? '', /p1499/);
  // An anchor leads from one property to another.
  const anchored = items.replace('- name: p0\n', '- name: p0\n      unit: &unit Cel\n');
  const shared = anchored.replace('- name: p900\n', '- name: p900\n      unit: *unit\n');
  const { resources, faults } = parseManifests(`${HEAD}  properties:\n${shared}`, 'f.yaml');
  assert.deepEqual(faults, []);
  assert.equal(specOf(resources[0]).properties?.[900]?.unit, 'Cel');
  // Beyond what pieces help with it is refused unparsed.
  const long = `${HEAD}  properties:\n${properties(9_000).join('')}`;
  assert.match(
    parseManifests(long, 'f.yaml', 20_000).faults[0]?.message ?? '',
    /too long for YAML/,
  );
});

test('of what was read only values and text are kept', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const models = Array.from({ length: 20 }, (_, n) => {
    const head = HEAD.replace('large', `m${n}`);
    return `---\n${head}  properties:\n${properties(200).join('')}`;
  }).join('');
  collect();
  const before = process.memoryUsage().heapUsed;
  const { resources } = parseManifests(models, 'f.yaml', LEXEMES);
  // In the same turn: a target that a WeakRef was made of in it would still be there.
  collect();
  const grown = process.memoryUsage().heapUsed - before;
  assert.equal(resources.length, 20);
  assert.ok(grown < 10e6, `${grown} bytes`);
});
