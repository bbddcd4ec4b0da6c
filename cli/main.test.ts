import assert from 'node:assert/strict';
import { existsSync, realpathSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { engineFits } from './bootstrap.mjs';
import { runLimpet, temporaryFolder } from './testing/run-limpet.ts';

const VERBS = [
  'demo',
  'cloud',
  'edge',
  'apply',
  'get',
  'set',
  'call',
  'discover',
  'delete',
  'version',
];

test('help names every verb, and each verb helps with examples', async () => {
  const all = await runLimpet(['--help']);
  assert.equal(all.code, 0);
  for (const verb of VERBS) assert.match(all.out, new RegExp(`^  ${verb} `, 'm'));
  for (const each of await Promise.all(VERBS.map((verb) => runLimpet([verb, '--help'])))) {
    assert.equal(each.code, 0, each.err);
    assert.match(each.out, /Examples:\n  limpet /);
  }
});

test('wrong usage ends with 2 and names what was probably meant', async () => {
  const cases: readonly [readonly string[], RegExp][] = [
    [['gte'], /unknown command 'gte'\n\(Did you mean get\?\)/],
    [['get', '--selectr', 'a'], /Did you mean --selector\?/],
    [['get', 'devises'], /Did you mean "devices"\?/],
    [['get'], /missing required argument 'kind'/],
    [['apply'], /required option '-f, --filename <file\.\.\.>'/],
    [['get', 'nodes', '--cloud', 'x', '--edge', 'y'], /give one/],
    [['get', 'nodes', '--cloud', 'ws://x'], /http:\/\/127/],
    [['set', 'boiler-1', '60'], /not DEVICE\.PROPERTY/],
    [['set', 'a.b', '1', '--timeout', 'soon'], /--timeout must be a duration/],
    [['set', 'a.b', '1', '--wait', 'done'], /accepted, stored, sent, confirmed/],
    [['demo', '--seconds', '-1'], /--seconds must be a number/],
    [[], /Usage: limpet/],
  ];
  const ran = await Promise.all(cases.map(([args]) => runLimpet(args)));
  for (const [index, { code, err, out }] of ran.entries()) {
    const [args, said] = cases[index] ?? [];
    assert.equal(code, 2, `${args?.join(' ')}: ${err}`);
    assert.match(err, said ?? /never/);
    assert.equal(out, '');
  }
});

test('with --json an error is one line of JSON', async () => {
  for (const args of [
    ['get', 'devises', '--json'],
    ['get', '--selectr', '-o', 'json'],
    ['nope', '--json'],
  ]) {
    const { err } = await runLimpet(args);
    const { error } = JSON.parse(err) as { error: { code: string; message: string } };
    assert.equal(error.code, 'USAGE');
    assert.match(error.message, /Did you mean|unknown command/);
  }
});

test('where nobody answers, both ways out are said', async (t) => {
  const cloud = await runLimpet(['get', 'devices', '--cloud', 'http://127.0.0.1:1']);
  assert.equal(cloud.code, 1);
  assert.match(
    cloud.err,
    /http:\/\/127\.0\.0\.1:1 \(ECONNREFUSED\).*--cloud URL or LIMPET_CLOUD.*--edge/s,
  );
  const edge = await runLimpet(['get', 'devices'], {
    environment: { LIMPET_EDGE: temporaryFolder(t) },
  });
  assert.equal(edge.code, 1);
  assert.match(edge.err, /no edge answers.*--edge PLACE or LIMPET_EDGE.*--cloud URL/s);
});

test('an edge that cuts the connection is not said to be missing', async (t) => {
  const socket = path.join(temporaryFolder(t), 'limpet.sock');
  const server = createServer((each) => each.destroy()).listen(socket);
  t.after(() => void server.close());
  const { code, err } = await runLimpet(['get', 'devices', '--edge', socket]);
  assert.equal(code, 1);
  assert.match(err, /cut the connection \((EPIPE|ECONNRESET)\).*try again/i);
  assert.doesNotMatch(err, /limpet edge --config/);
});

test('a wrong configuration ends with 78 and shows every fault with its place', async (t) => {
  const file = path.join(temporaryFolder(t), 'limpet.yaml');
  writeFileSync(file, 'node: Gateway_1\ndata: ./data\nclod: ws://127.0.0.1:8440/hub\n');
  const { code, err } = await runLimpet(['edge', '--config', file]);
  assert.equal(code, 78, err);
  assert.match(err, /limpet\.yaml:1:\d+: node: /);
  assert.match(err, /limpet\.yaml:3:1: clod: .*"cloud"/);
  const missing = await runLimpet(['edge', '--config', '/nowhere/limpet.yaml', '--json']);
  assert.equal(missing.code, 78);
  assert.match(JSON.parse(missing.err).error.message, /ENOENT/);
});

test('a cloud open to the network without certificate and token is refused', async (t) => {
  const args = ['cloud', '--data', temporaryFolder(t), '--listen', '0.0.0.0:0'];
  const { code, err } = await runLimpet(args);
  assert.equal(code, 78);
  assert.match(err, /--tls-cert.*--tls-key.*--token-file/s);
});

test('a Node that is too old hands over to the one that the project carries', async (t) => {
  const old = (process.env['PATH'] ?? '')
    .split(':')
    .concat('/usr/bin', '/usr/local/bin')
    .map((folder) => path.join(folder, 'node'))
    .find((file) => existsSync(file) && isOld(realpathSync(file)));
  if (old === undefined) return t.skip('no old Node on this machine');
  const { code, out, err } = await runLimpet(['version', '--json'], { node: old });
  assert.equal(code, 0, err);
  assert.equal(engineFits(JSON.parse(out).node, RANGE), true);
  assert.equal(err, '');
  assert.equal((await runLimpet(['gte'], { node: old })).code, 2);
});

const RANGE = '^22.19.0 || ^24.11.0 || >=26.8.0';

function isOld(file: string): boolean {
  const version = spawnSync(file, ['-p', 'process.versions.node'], {
    encoding: 'utf8',
  }).stdout.trim();
  return version !== '' && !engineFits(version, RANGE);
}
