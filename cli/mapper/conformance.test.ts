import { create } from 'create-limpet-mapper';
import type { Assertion } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { runLimpet, temporaryFolder } from '../testing/run-limpet.ts';
import { junit } from './junit.ts';

function made(t: TestContext): string {
  return create({ name: 'supply', folder: path.join(temporaryFolder(t), 'supply') }).folder;
}

const linesOf = (out: string): Record<string, unknown>[] =>
  out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test('a mapper that keeps its promises ends with 0, and what subject.ts says is tried as well', async (t) => {
  const folder = made(t);
  rmSync(path.join(folder, 'subject.ts'));
  const plain = await runLimpet(['mapper', 'test', folder, '--faults', '20']);
  assert.equal(plain.code, 0, plain.out + plain.err);
  assert.match(plain.out, /^DMI-001 +pass +the protocol is named/m);
  assert.match(plain.out, /^DMI-204 +not applicable .*\n +the subject names nothing to refuse$/m);
  assert.match(plain.out, /\d+ kept, 0 broken/);
  assert.match(plain.out, /^Grade A: .*; with 20 random faults only$/m);
  writeFileSync(
    path.join(folder, 'subject.ts'),
    "import type { Subject } from '@limpet/dmi/testing';\nexport const subject: Partial<Subject> = { refused: { ask: 'NO?' } };\n",
  );
  const report = path.join(folder, 'report.xml');
  const args = ['mapper', 'test', folder, '--faults', '20', '--json', '--junit', report];
  const more = await runLimpet(args);
  assert.equal(more.code, 0, more.err);
  const told = linesOf(more.out);
  assert.equal(told.find(({ id }) => id === 'DMI-204')?.['result'], 'pass');
  assert.equal(told.at(-1)?.['fail'], 0);
  assert.equal(told.at(-1)?.['grade'], 'A');
  assert.match(
    readFileSync(report, 'utf8'),
    /<testsuite name="DMI conformance of supply" tests="\d+" failures="0"/,
  );
});

test('a mapper that breaks a promise ends with 1 and names it', async (t) => {
  const folder = made(t);
  const source = path.join(folder, 'supply.ts');
  const text = readFileSync(source, 'utf8');
  const leaky = text.replace(
    'return lineConnection(line);',
    'return { ...lineConnection(line), close: async () => {} };',
  );
  assert.notEqual(leaky, text);
  writeFileSync(source, leaky);
  const { code, out } = await runLimpet(['mapper', 'test', source, '--faults', '5', '--json']);
  assert.equal(code, 1);
  const failed = linesOf(out).filter(({ result }) => result === 'fail');
  assert.equal(linesOf(out).at(-1)?.['grade'], 'C');
  assert.ok(
    failed.some(({ id, reason }) => id === 'DMI-501' && /left .* open/.test(String(reason))),
  );
});

test('without an example, or a simulator, it is said what to write', async (t) => {
  const folder = made(t);
  const source = path.join(folder, 'supply.ts');
  const none = await runLimpet([
    'mapper',
    'test',
    folder,
    '--example',
    path.join(folder, 'no.yaml'),
  ]);
  assert.equal(none.code, 1);
  assert.match(none.err, /write a DeviceModel and a Device/);
  writeFileSync(
    source,
    readFileSync(source, 'utf8').replace('export const simulator', 'const simulator'),
  );
  const bare = await runLimpet(['mapper', 'test', folder, '--json']);
  assert.equal(bare.code, 1);
  assert.match(bare.err, /SIMULATOR_MISSING/);
});

test('a report is well-formed whatever a reason says', () => {
  const odd: Assertion = {
    id: 'DMI-1',
    title: 'a < b & "c"',
    result: 'fail',
    reason: 'x\u0000\u001b]<y>',
  };
  const xml = junit(
    'p',
    [odd, { id: 'DMI-2', title: 't', result: 'not-applicable', reason: 'r' }],
    1500,
  );
  assert.match(
    xml,
    /name="DMI-1: a &lt; b &amp; &quot;c&quot;"><failure message="x  \]&lt;y&gt;"\/>/,
  );
  assert.match(xml, /tests="2" failures="1" skipped="1" time="1.5"/);
  assert.match(xml, /<skipped message="r"\/>/);
});

test('the Modbus mapper is tried from its own example, with grade A', async () => {
  const folder = path.join(import.meta.dirname, '../../mappers/modbus');
  const { code, out, err } = await runLimpet([
    'mapper',
    'test',
    folder,
    '--faults',
    '10',
    '--json',
  ]);
  assert.equal(code, 0, out + err);
  assert.equal(linesOf(out).at(-1)?.['grade'], 'A');
});
