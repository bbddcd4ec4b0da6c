import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Device, Node } from '@limpet/dmi/manifest';
import { type ClientOptions, WebSocket } from 'ws';
import type { FromCloud, FromEdge } from '#protocol';
import { type CloudOptions, startCloud } from './main.ts';
import { BOILER, BOILER_1, FACTS, silent, urlOf } from './testing.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'limpet-cloud-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let folders = 0;

async function cloud(t: TestContext, options: Partial<CloudOptions> = {}): Promise<string> {
  folders += 1;
  const log = silent;
  const data = path.join(folder, `${folders}`);
  const rest = { data, store: urlOf(data), listen: '127.0.0.1:0', log, ...options };
  const service = await startCloud(rest);
  t.after(() => service.close());
  return service.url;
}

/** An edge's socket that keeps what it hears. */
class Peer {
  readonly socket: WebSocket;
  readonly #heard: FromCloud[] = [];
  #waiting: (() => void) | undefined;

  constructor(url: string, options: ClientOptions = {}) {
    this.socket = new WebSocket(`${url.replace('http', 'ws')}/hub`, {
      perMessageDeflate: false,
      ...options,
    });
    this.socket.on('error', () => undefined);
    this.socket.on('message', (content: Buffer) => {
      this.#heard.push(JSON.parse(content.toString()) as FromCloud);
      this.#waiting?.();
    });
  }

  say(message: FromEdge | string): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  async hear(): Promise<FromCloud> {
    while (this.#heard.length === 0) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    return this.#heard.shift() ?? assert.fail();
  }

  async join(node: string, epoch = 'e1'): Promise<FromCloud> {
    await once(this.socket, 'open');
    this.say({ type: 'hello', protocol: 1, node, epoch, rev: 0, facts: FACTS });
    return this.hear();
  }

  async closed(): Promise<number> {
    if (this.socket.readyState === WebSocket.CLOSED) return -1;
    const [code] = (await once(this.socket, 'close')) as [number];
    return code;
  }
}

const devices = '/apis/limpet.dev/v1/namespaces/default/devices';
const models = '/apis/limpet.dev/v1/namespaces/default/devicemodels';

async function ask<T>(url: string, method = 'GET', body?: unknown): Promise<T> {
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  const response = await fetch(url, {
    method,
    headers: { 'content-type': type },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  assert.ok(response.ok, `${method} ${url}: ${response.status} ${await response.clone().text()}`);
  return (await response.json()) as T;
}

test('an order goes down, its verdict and the reported value come up, and both are in the API', async (t) => {
  const url = await cloud(t);
  await ask(url + models, 'POST', BOILER);
  await ask(url + devices, 'POST', BOILER_1);
  const edge = new Peer(url);
  assert.equal((await edge.join('gateway-1')).type, 'welcome');
  const page = await edge.hear();
  assert.ok(page.type === 'desire');
  edge.say({ type: 'stored', rev: page.to });
  const { rev, value } = page.rows.find(
    (row) => row.kind === 'desired' && row.property === 'setpoint',
  ) as never;
  const reported = { value, at: Date.now(), quality: 'good' } as const;
  const desired = {
    value,
    rev,
    verdict: 'applied',
    stages: { accepted: 1, confirmed: 2 },
  } as const;
  const row = {
    kind: 'property',
    seq: 1,
    device: 'default/boiler-1',
    property: 'setpoint',
  } as const;
  edge.say({ type: 'report', to: 1, rows: [{ ...row, reported, desired }] });
  assert.deepEqual(await edge.hear(), { type: 'ack', seq: 1 });
  const twin = (await ask<Device>(`${url}${devices}/boiler-1`)).status?.twin['setpoint'];
  assert.equal(twin?.reported?.value, 55);
  assert.equal(twin.desired?.verdict, 'applied');
  edge.socket.close();
});

test('the older of two connections of one node is closed with 4001 and a reason', async (t) => {
  const url = await cloud(t);
  const older = new Peer(url);
  await older.join('gateway-1');
  const closed = older.closed();
  const newer = new Peer(url);
  await newer.join('gateway-1', 'e2');
  const refusal = await older.hear();
  assert.equal(refusal.type === 'refuse' && refusal.code, 'SYNC_FENCED');
  assert.equal(await closed, 4001);
  newer.socket.close();
});

for (const [what, frame] of [
  ['not JSON', 'hello?'],
  ['JSON of another kind', '{"type":"hallo"}'],
  ['a hello without an epoch', '{"type":"hello","protocol":1,"node":"n","rev":0}'],
  ['a node name that is none', '{"type":"hello","protocol":1,"node":"../n","epoch":"e","rev":0}'],
  ['a report before the hello', '{"type":"report","to":1,"rows":[]}'],
] as const) {
  test(`a frame that is ${what} ends only its own connection, with what was expected`, async (t) => {
    const url = await cloud(t);
    const good = new Peer(url);
    await good.join('gateway-1');
    const bad = new Peer(url);
    await once(bad.socket, 'open');
    bad.say(frame);
    const refusal = await bad.hear();
    assert.ok(refusal.type === 'refuse' && refusal.message.length > 10);
    assert.equal(await bad.closed(), 4002);
    good.say({ type: 'report', to: 1, rows: [] });
    assert.deepEqual(await good.hear(), { type: 'ack', seq: 1 });
    good.socket.close();
  });
}

test('a node that was sent away and stays away is shown as away', async (t) => {
  const url = await cloud(t);
  const edge = new Peer(url);
  await edge.join('gateway-1');
  edge.say('{');
  assert.equal(await edge.closed(), 4002);
  const shown = async () => {
    const { status } = await ask<Node>(`${url}/apis/limpet.dev/v1/nodes/gateway-1`);
    return status?.state;
  };
  for (let tries = 0; tries < 100 && (await shown()) !== 'offline'; tries++) await sleep(20);
  assert.equal(await shown(), 'offline');
});

test('a binary frame and one beyond the ceiling end the connection', async (t) => {
  const url = await cloud(t);
  const binary = new Peer(url);
  await once(binary.socket, 'open');
  binary.socket.send(Buffer.from('{}'));
  assert.equal(await binary.closed(), 4002);
  const large = new Peer(url);
  await once(large.socket, 'open');
  large.say('x'.repeat(4 * 1024 * 1024 + 1));
  assert.equal(await large.closed(), 1009);
});

test('a row that cannot be used does not block the rest of its page', async (t) => {
  const url = await cloud(t);
  await ask(url + devices, 'POST', BOILER_1);
  const edge = new Peer(url);
  await edge.join('gateway-1');
  await edge.hear();
  const reported = { value: 7, at: 1, quality: 'good' };
  const row = { kind: 'property', seq: 2, device: 'default/boiler-1', property: 'pump', reported };
  const rows = [{ ...row, device: 'no id' }, { kind: 'surprise' }, row];
  edge.say(JSON.stringify({ type: 'report', to: 2, rows }));
  assert.deepEqual(await edge.hear(), { type: 'ack', seq: 2 });
  const { status } = await ask<Device>(`${url}${devices}/boiler-1`);
  assert.equal(status?.twin['pump']?.reported?.value, 7);
  edge.socket.close();
});

test('an edge that answers no heartbeat, or never says hello, is let go and shown as offline', async (t) => {
  const url = await cloud(t, { heartbeatMs: 60 });
  const mute = new Peer(url, { autoPong: false });
  await mute.join('gateway-1');
  const dumb = new Peer(url);
  const alive = new Peer(url);
  await alive.join('gateway-2');
  assert.equal(await mute.closed(), 1006);
  assert.equal(await dumb.closed(), -1);
  const state = async (name: string) =>
    (await ask<{ status: { state: string } }>(`${url}/apis/limpet.dev/v1/nodes/${name}`)).status
      .state;
  // Shown as soon as it is on the disk.
  while ((await state('gateway-1')) !== 'offline') await new Promise(setImmediate);
  assert.equal(await state('gateway-2'), 'online');
  alive.socket.close();
});

test('with a token file nobody comes in without a token of it, on the API or the hub', async (t) => {
  const tokenFile = path.join(folder, 'token');
  writeFileSync(tokenFile, 'a-token-of-some-length\nanother-token-of-length\n', { mode: 0o600 });
  const url = await cloud(t, { tokenFile });
  const statusOf = async (authorization?: string): Promise<number> => {
    const headers = authorization === undefined ? {} : { authorization };
    return (await fetch(url + devices, { headers })).status;
  };
  assert.equal(await statusOf(), 401);
  assert.equal(await statusOf('Bearer wrong-token-of-length'), 401);
  assert.equal(await statusOf('Bearer another-token-of-length'), 200);
  const upgrade = async (options: ClientOptions): Promise<number | undefined> => {
    const { socket } = new Peer(url, options);
    const [, response] = (await once(socket, 'unexpected-response')) as [
      unknown,
      { statusCode: number },
    ];
    socket.terminate();
    return response.statusCode;
  };
  assert.equal(await upgrade({}), 401);
  const headers = { authorization: 'Bearer a-token-of-some-length' };
  assert.equal(await upgrade({ headers, origin: 'https://elsewhere.example' }), 403);
  const edge = new Peer(url, { headers });
  assert.equal((await edge.join('gateway-1')).type, 'welcome');
  edge.socket.close();
});

test('beyond loopback it listens only with certificate, key and token file', async () => {
  const start = (listen: string, more = {}) =>
    startCloud({ data: path.join(folder, 'no'), listen, log: silent, ...more });
  for (const listen of ['0.0.0.0:0', '[::]:0', '192.168.1.2:8440', 'example.com:8440']) {
    await assert.rejects(start(listen), { code: 'CLOUD_EXPOSED' });
  }
  await assert.rejects(start('0.0.0.0:0', { tokenFile: 't', tlsCert: 'c' }), {
    code: 'CLOUD_EXPOSED',
  });
  await assert.rejects(start('127.0.0.1:0', { tlsCert: 'c' }), { code: 'CLOUD_TLS' });
  await assert.rejects(start('127.0.0.1'), { code: 'CLOUD_LISTEN' });
  await assert.rejects(start('127.0.0.1:0', { tokenFile: '/nowhere' }), { code: 'CLOUD_FILE' });
});

test('the IPv6 loopback is loopback', async (t) => {
  const url = await cloud(t, { listen: '[::1]:0' });
  assert.match(url, /^http:\/\/\[::1\]:\d+$/);
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
});

test('a thousand nodes are welcomed, and a stop sends them all away', async (t) => {
  const started = await startCloud({
    data: path.join(folder, 'many'),
    listen: '127.0.0.1:0',
    // However slow the machine is, none of them is let go.
    heartbeatMs: 600_000,
    log: silent,
  });
  t.after(() => started.close());
  const peers = Array.from({ length: 1000 }, () => new Peer(started.url));
  const welcomes = await Promise.all(peers.map((peer, index) => peer.join(`n${index}`)));
  assert.ok(welcomes.every(({ type }) => type === 'welcome'));
  const closed = Promise.all(peers.map((peer) => peer.closed()));
  await started.close();
  assert.ok((await closed).every((code) => code === 4003));
});

/** The service in a process of its own. */
async function inProcess(
  t: TestContext,
  data: string,
): Promise<{ readonly url: string; kill(): Promise<unknown> }> {
  const limpet = new URL('../../cli/limpet.mjs', import.meta.url).pathname;
  const args = [limpet, 'cloud', '--json', '--data', data, '--listen', '127.0.0.1:0'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  t.after(() => child.kill('SIGKILL'));
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const { listening: url } = JSON.parse(line) as { listening: string };
  return {
    url,
    kill: async () => {
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      return exit;
    },
  };
}

async function keptAt(url: string) {
  const { metadata, status } = await ask<Device>(`${url}${devices}/boiler-1`);
  return {
    wanted: Number(metadata.annotations?.['wanted'] ?? 0),
    value: Number(status?.twin['temperature']?.reported?.value),
    state: status?.state,
  };
}

test('what was answered before a kill -9 is there after the next start', async (t) => {
  const data = path.join(folder, 'killed');
  const run = () => inProcess(t, data);
  let answered = 0;
  let acknowledged = 0;
  let service = await run();
  await ask(service.url + models, 'POST', BOILER);
  await ask(service.url + devices, 'POST', BOILER_1);
  for (let life = 0; life < 4; life++) {
    const running = service;
    const { url } = running;
    const edge = new Peer(url);
    const welcome = await edge.join('gateway-1');
    assert.ok(welcome.type === 'welcome' && welcome.seq >= acknowledged);
    edge.socket.on('message', (content: Buffer) => {
      const message = JSON.parse(content.toString()) as FromCloud;
      if (message.type === 'ack') acknowledged = message.seq;
      if (message.type === 'ack') report(message.seq + 1);
    });
    const report = (seq: number): void => {
      const reported = { value: seq, at: seq, quality: 'good' } as const;
      const row = {
        kind: 'property',
        seq,
        device: 'default/boiler-1',
        property: 'temperature',
      } as const;
      edge.say({ type: 'report', to: seq, rows: [{ ...row, reported }] });
    };
    report(welcome.seq + 1);
    const enough = { answered: answered + 5, acknowledged: welcome.seq + 5 };
    let dying: Promise<unknown> | undefined;
    try {
      for (;;) {
        // In the midst of what follows, each time a little later.
        if (answered >= enough.answered && acknowledged >= enough.acknowledged) {
          dying ??= sleep(1 + life * 2).then(() => running.kill());
        }
        const wanted = String(answered + 1);
        await ask(`${url}${devices}/boiler-1`, 'PATCH', {
          metadata: { annotations: { wanted } },
        });
        answered += 1;
      }
    } catch (error) {
      assert.ok(error instanceof TypeError, String(error));
    }
    await (dying ?? assert.fail('it ended before it was killed'));
    service = await run();
    const kept = await keptAt(service.url);
    assert.ok(kept.wanted >= answered, `answered ${answered}, kept ${kept.wanted}`);
    answered = kept.wanted;
    assert.ok(kept.value >= acknowledged, `acknowledged ${acknowledged}, kept ${kept.value}`);
    assert.equal(kept.state, 'offline');
  }
  assert.ok(answered >= 20 && acknowledged >= 20, `${answered} ${acknowledged}`);
  await service.kill();
});
