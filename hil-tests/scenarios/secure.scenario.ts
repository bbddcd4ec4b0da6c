/**
 * Promise: over wss with an authority and a token an edge reaches its cloud; whatever is wrong with either is
 * told with its cause and the fix; a token renewed in place is taken up; and no token is ever printed.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { Device, DeviceModel } from '@limpet/dmi/manifest';
import { ApiClient, ApiError } from '#protocol/api';
import { Authority, type Certificate } from '../rig/authority.ts';
import { BusListener } from '../rig/bus-listener.ts';
import type { Child } from '../rig/child.ts';
import { Rig } from '../rig/rig.ts';
import { until } from '../rig/until.ts';

const model: DeviceModel = {
  apiVersion: 'limpet.dev/v1',
  kind: 'DeviceModel',
  metadata: { name: 'secure' },
  spec: {
    protocol: 'modbus',
    properties: [
      {
        name: 'setpoint',
        type: 'int',
        access: 'readWrite',
        every: '200ms',
        visitor: { register: 'holding', address: 10 },
      },
    ],
  },
};
const target = { kind: 'Device', namespace: 'default', name: 'device-1' } as const;

const tokens = Array.from({ length: 3 }, () => randomBytes(24).toString('hex'));
const [first = '', wrong = '', second = ''] = tokens;
const HERE = 'IP:127.0.0.1';
/** Every process of the scenario, for what they printed. */
const children: Child[] = [];

let rig: Rig;
let authority: Authority;
let right: Certificate;

before(async () => {
  rig = await Rig.create();
  authority = new Authority(rig.folder, 'authority');
  right = authority.issue('right', HERE, 2);
  write('cloud-tokens', first);
  write('edge-token', first);
  await rig.configure(config());
});
after(() => rig.close());

test('without TLS and a token nothing listens to the network', async () => {
  const { cloudPort, folder } = rig;
  const exposed = Rig.limpet('cloud', [
    '--data',
    path.join(folder, 'exposed'),
    '--listen',
    `0.0.0.0:${cloudPort}`,
  ]);
  await until(() => (exposed.running ? 'it runs' : undefined));
  assert.equal(exposed.exitCode, 78);
  assert.match(exposed.output, /--tls-cert, --tls-key and --token-file/);
});

test('with the authority and the token, orders go down and values come up', async () => {
  await startCloud(right, first);
  await startEdge();
  await rig.declare(model, 1);
  await order(7);
  assert.equal(rig.registers.holding(1)[10], 7);
});

test('the API takes no wrong token and does not repeat it', async () => {
  const stranger = client(wrong);
  await assert.rejects(stranger.get(target), (error) => {
    assert.ok(error instanceof ApiError && error.code === 401);
    assert.ok(!error.message.includes(wrong));
    return true;
  });
});

test('a wrong token is named as such, and one renewed in place is taken up', async () => {
  await rig.edge?.kill();
  write('edge-token', wrong);
  await startEdge();
  await unreached('SYNC_HTTP_401', /put one into the file named in `tokenFile`/);
  write('edge-token', first);
  await order(8);
});

test('a token taken out of the cloud counts no more, until the edge has the new one', async () => {
  await rig.cloud?.stop();
  write('cloud-tokens', second);
  await startCloud(right, second);
  await unreached('SYNC_HTTP_401', /put one into the file named in `tokenFile`/);
  write('edge-token', second);
  await order(9);
});

test('an authority that the edge does not know is named as such', async () => {
  await rig.edge?.stop();
  const stranger = new Authority(rig.folder, 'stranger');
  for (const ca of [undefined, stranger.cert]) {
    await rig.configure({ ...config(), ca });
    await startEdge();
    await unreached(/^(UNABLE_TO_VERIFY_LEAF|UNABLE_TO_GET_ISSUER|SELF_SIGNED)/, /`ca`/);
    await rig.edge?.stop();
  }
  await rig.configure(config());
});

test('a certificate that has expired, or is for another host, is named as such', async () => {
  const expired = authority.issue('expired', HERE, -1);
  const elsewhere = authority.issue('elsewhere', 'DNS:cloud.example', 2);
  await startEdge();
  for (const [certificate, code, fix] of [
    [expired, 'CERT_HAS_EXPIRED', /Renew the certificate/],
    [elsewhere, 'ERR_TLS_CERT_ALTNAME_INVALID', /another host name/],
  ] as const) {
    await rig.edge?.stop();
    await rig.cloud?.stop();
    await startCloud(certificate, second, false);
    await startEdge();
    await unreached(code, fix);
  }
  await rig.cloud?.stop();
  await startCloud(right, second);
  await order(10);
});

test('no token was ever printed, nor kept in the data folders', async () => {
  await Promise.all([rig.edge?.stop(), rig.cloud?.stop()]);
  assert.ok(children.length > 8);
  const kept = [path.join(rig.edgeData, 'twins.db'), path.join(rig.cloudData, 'cloud.db')];
  const all = [
    ...children.map((child) => child.output),
    ...kept.map((file) => readFileSync(file, 'latin1')),
  ];
  for (const text of all) {
    for (const token of tokens) assert.ok(!text.includes(token), 'a token was printed or kept');
  }
});

function config(): Record<string, string> {
  const token = path.join(rig.folder, 'edge-token');
  const cloud = `wss://127.0.0.1:${rig.cloudPort}/hub`;
  return { cloud, ca: authority.cert, tokenFile: token };
}

function client(token: string): ApiClient {
  const ca = readFileSync(authority.cert, 'utf8');
  return new ApiClient({ url: `https://127.0.0.1:${rig.cloudPort}`, ca, token });
}

/** `reachable`: the scenario's own client gets through, too. */
async function startCloud(
  { cert, key }: Certificate,
  token: string,
  reachable = true,
): Promise<void> {
  rig.api = client(token);
  const tokenFile = path.join(rig.folder, 'cloud-tokens');
  const options = ['--tls-cert', cert, '--tls-key', key, '--token-file', tokenFile];
  await rig.startCloud(
    options,
    reachable ? undefined : ({ output }) => output.includes('listening'),
  );
  if (rig.cloud) children.push(rig.cloud);
}

/** At the level that prints most. */
async function startEdge(): Promise<void> {
  await rig.startEdge({}, ['--log-level', 'debug']);
  if (rig.edge) children.push(rig.edge);
}

function write(name: string, token: string): void {
  writeFileSync(path.join(rig.folder, name), `${token}\n`, { mode: 0o600 });
}

/** The edge says in its log why the cloud is not reached and what to do; its devices do not mind. */
async function unreached(code: string | RegExp, fix: RegExp): Promise<void> {
  await until(() => {
    const events = ['cloud not reached', 'cloud link lost'].flatMap(
      (m) => rig.edge?.logged(m) ?? [],
    );
    const told = events.find((event) => String(event['code']).match(code));
    return told && fix.test(String(told['cause'])) ? undefined : rig.edge?.lastLines;
  });
  const bus = await BusListener.connect(rig.busPort);
  try {
    const cloud = () => bus.last('limpet/node')?.['cloud'];
    await until(() => (cloud() === 'offline' ? undefined : `the bus says ${String(cloud())}`));
  } finally {
    await bus.close();
  }
}

/** The link is up: an order placed in the cloud is confirmed. */
async function order(value: number): Promise<void> {
  await rig.api.patch(target, { spec: { desired: { setpoint: value } } });
  await until(async () => {
    const { status } = (await rig.api.get(target)) as Device;
    const { desired, reported } = status?.twin['setpoint'] ?? {};
    const right = desired?.verdict === 'applied' && reported?.value === value;
    return right ? undefined : `${JSON.stringify(desired)}\n${rig.edge?.lastLines}`;
  }, 30_000);
}
