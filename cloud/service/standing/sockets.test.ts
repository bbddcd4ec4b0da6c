import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test, type TestContext } from 'node:test';
import type { Device } from '@limpet/dmi/manifest';
import { type ClientOptions, WebSocket } from 'ws';
import { ApiClient, type Document, followRows, HeldRows, type StandingEvent } from '#protocol/api';
import { type CloudOptions, startCloud } from '../main.ts';
import { BOILER, BOILER_1, silent, urlOf } from '../testing.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'limpet-standing-sockets-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let folders = 0;

const QUERY = "SELECT device, desired.setpoint FROM devices WHERE labels.hall = 'north'";

interface Cloud {
  readonly url: string;
  readonly client: ApiClient;
  readonly data: string;
  close(): Promise<void>;
}

async function cloud(t: TestContext, options: Partial<CloudOptions> = {}): Promise<Cloud> {
  const data = options.data ?? path.join(folder, `${(folders += 1)}`);
  const rest = { data, store: urlOf(data), listen: '127.0.0.1:0', log: silent, ...options };
  const service = await startCloud(rest);
  t.after(() => service.close());
  const client = new ApiClient({ url: service.url });
  return { url: service.url, client, data, close: () => service.close() };
}

async function furnished(t: TestContext): Promise<Cloud> {
  const made = await cloud(t);
  await made.client.create(BOILER);
  await made.client.create(BOILER_1);
  return made;
}

const named = (name: string): Device => ({
  ...BOILER_1,
  metadata: { ...BOILER_1.metadata, name },
});

const target = (name: string) => ({ kind: 'Device', namespace: 'default', name }) as const;

const setpoint = (client: ApiClient, name: string, value: number): Promise<unknown> =>
  client.patch(target(name), { spec: { desired: { setpoint: value } } } as Document);

/** In short. */
function told(event: StandingEvent | undefined): unknown {
  if (event === undefined || event.type === 'error') return event?.status.details;
  if (event.type === 'reset') return `reset ${event.reason}`;
  if (event.type === 'bookmark') return 'bookmark';
  return [event.type, ...event.key, ...('row' in event ? event.row.slice(1) : [])];
}

async function take(
  events: AsyncIterator<StandingEvent>,
  count: number,
): Promise<readonly StandingEvent[]> {
  const taken: StandingEvent[] = [];
  while (taken.length < count) {
    const { value, done } = await events.next();
    if (done === true) break;
    taken.push(value);
  }
  return taken;
}

test('over SSE a query tells what there is, what comes, changes and goes, and goes on from a cursor', async (t) => {
  const { client } = await furnished(t);
  const first = client.standing({ query: QUERY });
  const opening = await take(first, 3);
  assert.deepEqual(opening.map(told), [
    'reset start',
    ['enter', 'default/boiler-1', 55],
    'bookmark',
  ]);
  const [reset] = opening;
  assert.deepEqual(reset?.type === 'reset' && reset.columns, [
    { name: 'device', type: 'text' },
    { name: 'desired.setpoint', type: 'number' },
  ]);
  await setpoint(client, 'boiler-1', 60);
  const [update] = await take(first, 1);
  assert.deepEqual(told(update), ['update', 'default/boiler-1', 60]);
  await first.return(undefined);
  await client.create(named('boiler-2'));
  await client.patch(target('boiler-1'), { metadata: { labels: { hall: 'south' } } } as Document);
  const cursor = update?.type === 'update' ? update.cursor : assert.fail();
  const again = client.standing({ query: QUERY, cursor });
  // Whether it is owed a bookmark for what it had, before it is told of more, is a matter of milliseconds.
  const resumed = (await take(again, 3)).map(told).filter((each) => each !== 'bookmark');
  assert.deepEqual(resumed, [
    ['enter', 'default/boiler-2', 55],
    ['leave', 'default/boiler-1'],
  ]);
  await again.return(undefined);
});

test('a service that was started anew goes on in silence where nothing is different, and says so where something is', async (t) => {
  const before = await furnished(t);
  const events = before.client.standing({ query: QUERY });
  const last = (await take(events, 3)).at(-1);
  const cursor = last?.type === 'bookmark' ? last.cursor : assert.fail();
  await events.return(undefined);
  await before.close();
  const { data } = before;
  const { client } = await cloud(t, { data });
  const silentOnes = client.standing({ query: QUERY, cursor });
  assert.deepEqual((await take(silentOnes, 1)).map(told), ['bookmark']);
  await silentOnes.return(undefined);
  await setpoint(client, 'boiler-1', 61);
  const others = client.standing({ query: `${QUERY}`, cursor });
  assert.deepEqual((await take(others, 3)).map(told), [
    'reset forgotten',
    ['enter', 'default/boiler-1', 61],
    'bookmark',
  ]);
  await others.return(undefined);
});

test('the typed client sees each change once over a restart of the service', async (t) => {
  const before = await furnished(t);
  const stop = new AbortController();
  t.after(() => stop.abort());
  let client = before.client;
  const held = new HeldRows();
  const source = {
    standing: (...asked: Parameters<ApiClient['standing']>) => client.standing(...asked),
  };
  const steps = followRows(source, QUERY, {
    signal: stop.signal,
    sleep: async () => undefined,
    held,
  });
  const changes: unknown[] = [];
  const until = async (what: (kind: string, level: boolean) => boolean): Promise<void> => {
    for (;;) {
      const { value } = await steps.next();
      if (!value) return assert.fail();
      if (value.kind === 'rows')
        changes.push(...value.changes.map(({ type, key }) => [type, ...key]));
      if (what(value.kind, value.kind === 'rows' && value.level)) return;
    }
  };
  await until((_, level) => level);
  await before.close();
  const after = await cloud(t, { data: before.data });
  await after.client.create(named('boiler-2'));
  client = after.client;
  await until((kind) => kind === 'lost');
  await until((_, level) => level);
  assert.deepEqual(changes, [
    ['enter', 'default/boiler-1'],
    ['enter', 'default/boiler-2'],
  ]);
  assert.equal(held.size, 2);
});

test('faults of a query are told with their place before anything is opened', async (t) => {
  const { client } = await furnished(t);
  const events = client.standing({ query: 'SELECT device FROM devices WHERE temperatur > 5' });
  await assert.rejects(events.next(), (error: { details?: { causes?: readonly object[] } }) => {
    const [cause] = error.details?.causes ?? [];
    const { message: _, ...place } = { message: '', ...cause };
    assert.deepEqual(place, {
      field: 'query',
      reason: 'QUERY_NAME',
      offset: 33,
      length: 10,
      line: 1,
      column: 34,
      suggestion: 'temperature',
    });
    return true;
  });
  const other = client.standing({ query: QUERY, cursor: 'nonsense' });
  await assert.rejects(other.next(), /not one of this service/);
});

class Frames {
  readonly socket: WebSocket;
  readonly #heard: StandingEvent[] = [];
  #waiting: (() => void) | undefined;

  constructor(url: string, query: string, options: ClientOptions = {}) {
    const asked = new URLSearchParams({ query });
    this.socket = new WebSocket(
      `${url.replace('http', 'ws')}/apis/limpet.dev/v1/query?${asked.toString()}`,
      options,
    );
    this.socket.on('error', () => undefined);
    this.socket.on('message', (content: Buffer) => {
      this.#heard.push(JSON.parse(content.toString()) as StandingEvent);
      this.#waiting?.();
    });
  }

  async hear(): Promise<StandingEvent> {
    while (this.#heard.length === 0) {
      await new Promise<void>((resolve) => (this.#waiting = resolve));
    }
    return this.#heard.shift() ?? assert.fail();
  }
}

test('over WebSocket each event is a frame', async (t) => {
  const { client, url } = await furnished(t);
  const frames = new Frames(url, `WATCH ${QUERY}`);
  t.after(() => frames.socket.terminate());
  assert.deepEqual(
    [told(await frames.hear()), told(await frames.hear()), told(await frames.hear())],
    ['reset start', ['enter', 'default/boiler-1', 55], 'bookmark'],
  );
  await setpoint(client, 'boiler-1', 62);
  assert.deepEqual(told(await frames.hear()), ['update', 'default/boiler-1', 62]);
  await client.delete(target('boiler-1'));
  assert.deepEqual(told(await frames.hear()), ['leave', 'default/boiler-1']);
  frames.socket.send('hello?');
  const [code] = (await once(frames.socket, 'close')) as [number];
  assert.equal(code, 1003);
});

test('over WebSocket a faulty query is told as an event, for browsers are not shown refusals', async (t) => {
  const { url } = await furnished(t);
  const frames = new Frames(url, 'SELECT FROM devices');
  const event = await frames.hear();
  assert.equal(event.type === 'error' && event.status.details?.causes?.[0]?.reason, 'QUERY_SYNTAX');
  const [code] = (await once(frames.socket, 'close')) as [number];
  assert.equal(code, 1008);
});

async function refusal(frames: Frames): Promise<number | undefined> {
  const [, response] = (await once(frames.socket, 'unexpected-response')) as [
    unknown,
    { statusCode?: number; destroy(): void },
  ];
  response.destroy();
  return response.statusCode;
}

test('a page of another place cannot open a WebSocket, one of this service can', async (t) => {
  const { url } = await furnished(t);
  const foreign = new Frames(url, QUERY, { origin: 'https://example.org' });
  assert.equal(await refusal(foreign), 403);
  const { port } = new URL(url);
  const rebound = new Frames(url, QUERY, {
    origin: `http://example.org:${port}`,
    headers: { host: `example.org:${port}` },
  });
  assert.equal(await refusal(rebound), 403);
  const own = new Frames(url, QUERY, { origin: url });
  t.after(() => own.socket.terminate());
  assert.equal(told(await own.hear()), 'reset start');
});

test('both ways ask for the token of a service that has one', async (t) => {
  const file = path.join(folder, 'tokens');
  const token = 'a-token-of-the-test';
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  const { url, client } = await cloud(t, { tokenFile: file });
  await assert.rejects(client.standing({ query: QUERY }).next(), /Authorization: Bearer TOKEN/);
  assert.equal(await refusal(new Frames(url, QUERY)), 401);
  const known = new ApiClient({ url, token });
  const events = known.standing({ query: 'SELECT device FROM devices' });
  assert.equal(told((await events.next()).value ?? undefined), 'reset start');
  await events.return(undefined);
  const headers = { authorization: `Bearer ${token}` };
  const frames = new Frames(url, 'SELECT device FROM devices', { headers });
  t.after(() => frames.socket.terminate());
  assert.equal(told(await frames.hear()), 'reset start');
});
