/** Endpoints, certificates and users, against a server that knows all of them. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { X509Certificate } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type DmiError, Misconfigured, Unreachable } from '@limpet/dmi';
import { DataType } from 'node-opcua-variant';
import { fakeClock, recordingLog } from '@limpet/dmi/testing';
import { ownCertificate } from './own-certificate.ts';
import opcua from './mapper.ts';
import { never, open, realContext, until, visitorOf } from './open.fixture.ts';
import { parseNodeId, type NodeAddress } from './node-id.ts';
import { POLICIES } from './settings.ts';
import { selfSigned } from './self-signed.ts';
import { SimulatedServer } from './simulator.ts';
import { TrustStore } from './trust.ts';

const TEMP = visitorOf({ node: 'ns=2;s=Temp' });
const node = parseNodeId('ns=2;s=Temp') as NodeAddress;

async function read(settings: object, folder?: string): Promise<unknown> {
  const connection = await open(settings, realContext(folder));
  try {
    const [reading] = await connection.read([TEMP], never);
    return reading?.ok === true ? reading.value : reading?.error.code;
  } finally {
    await connection.close();
  }
}

async function failure(settings: object, folder?: string): Promise<DmiError> {
  return read(settings, folder).then(
    (value) => assert.fail(`it gave ${String(value)}`),
    (error: DmiError) => error,
  );
}

async function backOf(code: string, folder: string, signal = never): Promise<void> {
  const settings = opcua.settings['~standard'].validate({ endpoint: 'opc.tcp://plc' });
  assert.ok('value' in settings);
  await opcua.back?.({ settings: settings.value, code }, realContext(folder), signal);
}

suite('security', () => {
  let server: SimulatedServer;
  let root: string;
  let folder: string;
  let endpoint: string;

  before(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'limpet-opcua-test-'));
    folder = path.join(root, 'mapper');
    server = await SimulatedServer.start(
      {
        allowAnonymous: true,
        userManager: {
          isValidUser: (name: string, password: string) => name === 'joe' && password === 'sécret',
        },
      },
      path.join(root, 'server'),
    );
    server.add({ node, name: 'Temp', type: DataType.Double, value: 21.5, writable: true });
    ({ endpoint } = server);
  });
  after(async () => {
    await server.close();
    await rm(root, { recursive: true, force: true });
  });

  test('a server is not trusted until somebody does, and then without any restart', async () => {
    const error = await failure({ endpoint }, folder);
    assert.ok(error instanceof Unreachable, 'tried again by itself');
    assert.equal(error.code, 'OPCUA_UNTRUSTED');
    const [, thumbprint = ''] = /limpet opcua trust ([0-9A-F]{40})$/.exec(error.message) ?? [];
    const trust = new TrustStore(folder);
    assert.deepEqual(
      (await trust.list()).map((each) => [each.list, each.thumbprint]),
      [['rejected', thumbprint]],
    );
    assert.equal((await trust.move(thumbprint.slice(0, 12), 'trusted'))?.list, 'trusted');
    assert.equal(await read({ endpoint }, folder), 21.5);
  });

  test('every mode with every policy that counts as secure', async () => {
    for (const security of ['sign', 'signAndEncrypt']) {
      for (const policy of POLICIES)
        assert.equal(await read({ endpoint, security, policy }, folder), 21.5, security + policy);
    }
  });

  test('its own certificate is made once, and the key is for its owner only', async () => {
    const own = path.join(folder, 'pki', 'own');
    const before = await readFile(path.join(own, 'certificate.der'));
    assert.deepEqual((await readdir(own)).toSorted(), ['certificate.der', 'key.pem']);
    assert.equal(await read({ endpoint }, folder), 21.5);
    assert.deepEqual(await readFile(path.join(own, 'certificate.der')), before);
    const x509 = new X509Certificate(before);
    assert.match(x509.subjectAltName ?? '', /^URI:urn:.+:limpet, DNS:/);
  });

  test('it is renewed before it expires, and a board that begins in 1970 makes one that lasts', async () => {
    const place = path.join(root, 'aging');
    const log = recordingLog();
    const made = async (now: number) =>
      ownCertificate(place, { clock: { ...fakeClock(), now: () => now }, log });
    const first = await made(0);
    assert.ok(Date.parse(new X509Certificate(first.der).validTo) > Date.UTC(2035, 0, 1));
    const later = Date.UTC(2034, 0, 1);
    assert.equal((await made(later)).thumbprint, first.thumbprint);
    const end = Date.parse(new X509Certificate(first.der).validTo);
    const renewed = await made(end - 30 * 86_400_000);
    assert.notEqual(renewed.thumbprint, first.thumbprint);
    assert.equal(renewed.applicationUri, first.applicationUri);
  });

  test('a password is right, wrong, or in a file that is not there', async () => {
    await writeFile(path.join(folder, 'joe'), 'sécret\n');
    const user = 'joe';
    assert.equal(await read({ endpoint, user, password: 'sécret' }, folder), 21.5);
    assert.equal(await read({ endpoint, user, passwordFile: 'joe' }, folder), 21.5);
    // Encrypted by itself, with the certificate that was trusted before.
    const open = { endpoint, user, security: 'none' };
    assert.equal(await read({ ...open, passwordFile: 'joe' }, folder), 21.5);
    const wrong = await failure({ endpoint, user, password: 'wrong' }, folder);
    assert.ok(wrong instanceof Misconfigured, 'not tried again: accounts are locked by that');
    assert.ok(!wrong.message.includes('wrong'), 'secrets stay out of messages');
    const missing = await failure({ endpoint, user, passwordFile: 'jim' }, folder);
    assert.equal(missing.code, 'OPCUA_FILE');
  });

  test('a user with a certificate', async () => {
    const now = Date.now();
    const { der, key } = selfSigned({
      applicationUri: 'urn:user',
      commonName: 'Jane',
      hosts: [],
      fromMs: now - 1_000,
      toMs: now + 3_600_000,
    });
    const certificate = new X509Certificate(der).toString();
    assert.equal(await read({ endpoint, certificate, key }, folder), 21.5);
  });

  test('a running server that shows another certificate is lost once, and goes on when that is trusted', async (t) => {
    const first = await SimulatedServer.start({}, path.join(root, 'first'));
    let running = first;
    t.after(() => running.close());
    const { port, endpoint: swapped } = first;
    const settings = { endpoint: swapped, keepAlive: '200ms' };
    const trust = new TrustStore(folder);
    const trustAs = async ({ message }: DmiError): Promise<void> => {
      const [, thumbprint = ''] = /limpet opcua trust ([0-9A-F]{40})$/.exec(message) ?? [];
      assert.equal((await trust.move(thumbprint, 'trusted'))?.list, 'trusted');
    };
    await trustAs(await failure(settings, folder));
    const connection = await open(settings, realContext(folder));
    const losses: Error[] = [];
    const sink = { reading: () => undefined, lost: (error: Error) => void losses.push(error) };
    await connection.subscribe?.([{ visitor: TEMP, everyMs: 50 }], sink, never);
    await first.close();
    const second = await SimulatedServer.start({ port }, path.join(root, 'second'));
    running = second;
    second.add({ node, name: 'Temp', type: DataType.Double, value: 7, writable: true });
    await until(() => losses.length > 0);
    assert.ok(losses[0] instanceof Unreachable);
    await connection.close();
    const error = await failure(settings, folder);
    assert.equal(error.code, 'OPCUA_UNTRUSTED', 'the last one counts for nothing');
    const aged = new Date(Date.now() - 60_000);
    await utimes(path.join(folder, 'pki', 'trusted'), aged, aged);
    const back = backOf(error.code, folder);
    assert.equal(
      await Promise.race([back, delay(50, 'nobody has trusted it yet')]),
      'nobody has trusted it yet',
    );
    await trustAs(error);
    await Promise.all([back, backOf(error.code, folder)]);
    assert.equal(await read(settings, folder), 7);
    assert.equal(losses.length, 1);
  });

  test('only trust brings back a server that is not trusted, and who no longer waits for it is gone', async () => {
    await assert.rejects(backOf('OPCUA_TIMEOUT', folder), { code: 'OPCUA_UNHEARD' });
    const aged = new Date(Date.now() - 60_000);
    await utimes(path.join(folder, 'pki', 'trusted'), aged, aged);
    const signal = AbortSignal.timeout(50);
    await assert.rejects(backOf('OPCUA_UNTRUSTED', folder, signal), { name: 'AbortError' });
  });

  test('what is not offered is said, with what is', async () => {
    const policy = 'Basic256';
    const { code, message } = await failure({ endpoint, policy, deprecated: true }, folder);
    assert.equal(code, 'OPCUA_SECURITY');
    assert.match(message, /it offers None, Sign Basic256Sha256, /);
  });

  test('without a folder for keys there is no secured connection, and it is said', async () => {
    assert.equal((await failure({ endpoint })).code, 'OPCUA_FOLDER');
  });
});
