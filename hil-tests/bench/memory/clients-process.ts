/** The process of the bus's clients: started by clients.ts, ends with it. */
import process from 'node:process';
import { connect, type MqttClient } from 'mqtt';

export type Ask =
  | {
      readonly kind: 'listen';
      readonly name: string;
      readonly port: number;
      readonly filter: string;
    }
  | { readonly kind: 'pair'; readonly name: string; readonly port: number }
  | { readonly kind: 'heard'; readonly name: string }
  | { readonly kind: 'first'; readonly port: number; readonly filter: string }
  | { readonly kind: 'leave'; readonly name: string };

export interface Answer {
  readonly id: number;
  readonly error?: string;
  readonly heard?: Heard;
  readonly at?: number;
}

export interface Heard {
  readonly messages: number;
  /** Of a pair: published in this time, and how long each took that arrived, in ms. */
  readonly published: number;
  readonly latencies: readonly number[];
}

/** All the clients of one name, and what they heard. */
interface Group {
  readonly clients: MqttClient[];
  readonly stop: () => void;
  messages: number;
  published: number;
  latencies: number[];
}

const TOPIC = 'bench/latency';
const EVERY_MS = 100;
const FIRST_MS = 60_000;
/** More than an hour of latencies: the bench asks every few minutes. */
const MOST_LATENCIES = 50_000;
const groups = new Map<string, Group>();

process.on('message', (ask: Ask & { readonly id: number }) => {
  answer(ask).then(
    (found) => process.send?.({ id: ask.id, ...found }),
    (error: unknown) => process.send?.({ id: ask.id, error: String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));

async function answer(ask: Ask): Promise<Omit<Answer, 'id'>> {
  switch (ask.kind) {
    case 'listen':
      await listen(ask.name, ask.port, ask.filter);
      return {};
    case 'pair':
      await pair(ask.name, ask.port);
      return {};
    case 'heard':
      return { heard: heard(ask.name) };
    case 'first':
      return { at: await first(ask.port, ask.filter) };
    case 'leave':
      await leave(ask.name);
      return {};
  }
}

async function listen(name: string, port: number, filter: string): Promise<void> {
  const client = await connected(port);
  const group = join(name, { clients: [client], stop: () => undefined });
  client.on('message', () => group.messages++);
  await client.subscribeAsync(filter);
}

async function pair(name: string, port: number): Promise<void> {
  const [from, to] = [await connected(port), await connected(port)];
  await to.subscribeAsync(TOPIC);
  const timer = setInterval(() => {
    if (!from.connected) return;
    group.published++;
    from.publish(TOPIC, String(performance.now()));
  }, EVERY_MS);
  const group = join(name, { clients: [from, to], stop: () => clearInterval(timer) });
  to.on('message', (_topic, payload) => {
    if (group.latencies.length === MOST_LATENCIES) return;
    group.latencies.push(performance.now() - Number(payload.toString()));
  });
}

function join(name: string, parts: Pick<Group, 'clients' | 'stop'>): Group {
  const group: Group = { ...parts, messages: 0, published: 0, latencies: [] };
  groups.set(name, group);
  return group;
}

function heard(name: string): Heard {
  const group = groups.get(name);
  if (group === undefined) throw new Error(`nobody listens as ${name}`);
  const { messages, published, latencies } = group;
  Object.assign(group, { messages: 0, published: 0, latencies: [] });
  return { messages, published, latencies };
}

/** Tries until the bus is there, then waits for the first good value that was read after this was asked. */
async function first(port: number, filter: string): Promise<number> {
  const asked = Date.now();
  const client = attach(port);
  try {
    return await new Promise<number>((resolve, reject) => {
      client.on('connect', () => void client.subscribe(filter));
      client.on('message', (_topic, payload) => {
        const { quality, at } = JSON.parse(payload.toString()) as { quality: string; at: string };
        if (quality === 'good' && Date.parse(at) >= asked)
          resolve(performance.timeOrigin + performance.now());
      });
      setTimeout(() => reject(new Error('no good value in time')), FIRST_MS);
    });
  } finally {
    await client.endAsync(true);
  }
}

/** Connects again by itself: a bus may not be open yet, or be gone for a while. */
function attach(port: number): MqttClient {
  const client = connect(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 10 });
  client.on('error', () => undefined);
  return client;
}

async function connected(port: number): Promise<MqttClient> {
  const client = attach(port);
  await new Promise<void>((resolve) => {
    client.once('connect', () => resolve());
  });
  return client;
}

async function leave(name: string): Promise<void> {
  const group = groups.get(name);
  groups.delete(name);
  group?.stop();
  await Promise.all(group?.clients.map((client) => client.endAsync(true)) ?? []);
}
