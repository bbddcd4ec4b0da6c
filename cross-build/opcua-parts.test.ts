/** What is left of node-opcua in the bundle is enough, for each way to secure a channel. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'node:test';
import { build } from 'esbuild';
import type source from '../mappers/opcua/mapper.ts';
import { parseNodeId } from '../mappers/opcua/node-id.ts';
import { open, realContext, visitorOf } from '../mappers/opcua/open.fixture.ts';
import { SimulatedServer } from '../mappers/opcua/simulator.ts';
import { TrustStore } from '../mappers/opcua/trust.ts';
import { only, opcuaParts } from './opcua-parts.ts';

const root = path.resolve(import.meta.dirname, '..');
const never = new AbortController().signal;

test('the OPC UA mapper of the bundle reads, writes and is told, with every policy', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'limpet-opcua-parts-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const outfile = path.join(folder, 'mapper.mjs');
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['mappers/opcua/mapper.ts'],
    outfile,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    conditions: ['source'],
    metafile: true,
    plugins: [opcuaParts()],
    banner: {
      js: "const require=process.getBuiltinModule('module').createRequire(import.meta.url);",
    },
  });
  const [output] = Object.values(metafile.outputs);
  assert.ok(output && output.bytes < 700_000, `${output?.bytes} bytes`);
  const { default: mapper } = (await import(pathToFileURL(outfile).href)) as {
    default: typeof source;
  };
  const server = await SimulatedServer.start({}, path.join(folder, 'server'));
  t.after(() => server.close());
  const node = parseNodeId('ns=2;s=Temp');
  assert.ok(node);
  // Double
  server.add({ node, name: 'Temp', type: 11, value: 21.5, writable: true });
  const { endpoint } = server;
  const context = realContext(path.join(folder, 'own'));
  await assert.rejects(open({ endpoint }, context, mapper), { code: 'OPCUA_UNTRUSTED' });
  const trust = new TrustStore(path.join(folder, 'own'));
  const [shown] = await trust.list();
  await trust.move(shown?.thumbprint ?? '', 'trusted');
  const temp = visitorOf({ node: 'ns=2;s=Temp' });
  const state = visitorOf({ node: 'i=2256' });
  for (const more of [
    { security: 'none' },
    { policy: 'Basic256Sha256' },
    { policy: 'Aes128_Sha256_RsaOaep', security: 'sign' },
    { policy: 'Aes256_Sha256_RsaPss' },
  ]) {
    const connection = await open({ endpoint, ...more }, context, mapper);
    const told = Promise.withResolvers<unknown>();
    const life = new AbortController();
    const wishes = [{ visitor: temp, everyMs: 50 }];
    const sink = { reading: (_: number, each: unknown) => told.resolve(each), lost: told.reject };
    assert.deepEqual(await connection.subscribe?.(wishes, sink, life.signal), []);
    await told.promise;
    assert.equal(await connection.write(temp, 22.5, never), 22.5);
    const [read, status] = await connection.read([temp, state], never);
    assert.ok(read?.ok && read.value === 22.5, JSON.stringify(more));
    // A structure whose class was left out: taken apart by the server's own definition.
    assert.ok(status?.ok && JSON.stringify(status.value).includes('"BuildInfo":{'));
    life.abort();
    await connection.close();
  }
});

test('a structure that is wanted and gone fails the build', () => {
  const text = 'const a = 1;\nexport class B {\n  x = a;\n}\nexport class C {}\nB.schema.y = 1;';
  assert.equal(
    only(text, ['B']),
    'const a = 1;\nexport class B {\n  x = a;\n}\nB.schema.y = 1;\nexport const C = undefined;',
  );
  assert.throws(() => only(text, ['D']), /no longer declares D/);
});
