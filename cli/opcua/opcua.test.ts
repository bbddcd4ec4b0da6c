import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { X509Certificate } from 'node:crypto';
import { selfSigned } from '../../mappers/opcua/self-signed.ts';
import { TrustStore } from '../../mappers/opcua/trust.ts';
import { runLimpet, temporaryFolder } from '../testing/run-limpet.ts';

function certificate(name: string, hosts: readonly string[] = []): Buffer {
  const span = { fromMs: Date.now(), toMs: Date.now() + 86_400_000 };
  return selfSigned({ applicationUri: `urn:${name}`, commonName: name, hosts, ...span }).der;
}

test('a certificate that was met is listed, trusted by the beginning of its thumbprint, and rejected again', async (t) => {
  const folder = temporaryFolder(t);
  const config = path.join(folder, 'limpet.yaml');
  writeFileSync(config, `node: n1\ndata: ${folder}/data\n`);
  const own = path.join(folder, 'data', 'mappers', 'opcua');
  mkdirSync(own, { recursive: true });
  const der = certificate('press');
  assert.deepEqual(await new TrustStore(own).judge(der), { trusted: false });
  const thumbprint = new X509Certificate(der).fingerprint.replaceAll(':', '');
  const ask = (...args: string[]) => runLimpet(['opcua', ...args, '--config', config]);
  const listed = await ask('list');
  assert.match(listed.out, new RegExp(`rejected +${thumbprint} .* urn:press +CN=press, O=Limpet`));
  const there = await runLimpet(['opcua', 'list', '--edge', folder]);
  assert.equal(there.out, listed.out, there.err);
  const trusted = await ask('trust', thumbprint.slice(0, 8).toLowerCase());
  assert.deepEqual([trusted.code, trusted.out.startsWith('trusted: ')], [0, true]);
  assert.deepEqual(await new TrustStore(own).judge(der), { trusted: true, by: 'itself' });
  assert.equal((await ask('reject', thumbprint)).code, 0);
  assert.deepEqual(await new TrustStore(own).judge(der), { trusted: false });
  const file = path.join(folder, 'other.pem');
  writeFileSync(file, new X509Certificate(certificate('other')).toString());
  assert.match((await ask('trust', file, '--json')).out, /"uri":"urn:other"/);
  const unknown = await ask('trust', 'ABCDEF0123');
  assert.deepEqual([unknown.code, /known are/.test(unknown.err)], [1, true]);
  assert.match((await ask('trust', 'none.pem')).err, /there is no file none\.pem/);
  writeFileSync(file, 'nothing');
  assert.match((await ask('trust', file)).err, /holds no certificate/);
});

test('a certificate too large to be kept is not called trusted', async (t) => {
  const folder = temporaryFolder(t);
  const [config, file] = [path.join(folder, 'limpet.yaml'), path.join(folder, 'press.der')];
  writeFileSync(config, `node: n1\ndata: ${folder}/data\n`);
  mkdirSync(path.join(folder, 'data/mappers/opcua'), { recursive: true });
  const hosts = Array.from({ length: 500 }, (_, n) => `press-${n}.${'x'.repeat(30)}.example`);
  writeFileSync(file, certificate('press', hosts));
  const { code, err } = await runLimpet(['opcua', 'trust', file, '--config', config]);
  assert.equal(code, 1);
  assert.match(err, /press\.der cannot be trusted: it has \d+ bytes; at most 16384 are kept/);
});

test('a certificate that cannot be kept is not called none', async (t) => {
  const folder = temporaryFolder(t);
  const [config, file] = [path.join(folder, 'limpet.yaml'), path.join(folder, 'press.pem')];
  writeFileSync(config, `node: n1\ndata: ${folder}/data\n`);
  writeFileSync(file, new X509Certificate(certificate('press')).toString());
  const own = path.join(folder, 'data', 'mappers', 'opcua');
  mkdirSync(own, { recursive: true });
  writeFileSync(path.join(own, 'pki'), 'where its folder belongs');
  const ran = await runLimpet(['opcua', 'trust', file, '--config', config]);
  assert.equal(ran.code, 1);
  assert.match(ran.err, /press\.pem was not trusted: (ENOTDIR|EEXIST)/);
});

test('strangers cannot fill the disk with certificates', async (t) => {
  const folder = temporaryFolder(t);
  const trust = new TrustStore(folder);
  const der = certificate('stranger');
  await trust.judge(der);
  const rejected = path.join(folder, 'pki', 'rejected');
  for (let n = 0; n < 60; n++) writeFileSync(path.join(rejected, `${n}.der`), der);
  await trust.judge(certificate('another'));
  assert.equal(readdirSync(rejected).length, 50);
});
