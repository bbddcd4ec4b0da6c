import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock, Log } from '@limpet/dmi';
import type { FromCloud, FromEdge, StateRow } from '#protocol';
import { CloudLink, type LinkedTwins } from './link.ts';
import type { Wire, WireEvents } from './wire.ts';

/** Time that moves when told to. */
class ManualClock implements Clock {
  #now = 1_000_000;
  #tasks: { at: number; task: () => void }[] = [];
  now = (): number => this.#now;
  monotonic = (): number => this.#now;
  sleep = (ms: number): Promise<void> => new Promise((resolve) => void this.after(ms, resolve));
  after(ms: number, task: () => void): () => void {
    const entry = { at: this.#now + ms, task };
    this.#tasks.push(entry);
    return () => void (this.#tasks = this.#tasks.filter((t) => t !== entry));
  }
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [next] = this.#tasks.filter((t) => t.at <= end).toSorted((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#tasks = this.#tasks.filter((t) => t !== next);
      this.#now = next.at;
      next.task();
    }
    this.#now = end;
  }
}

class FakeWire implements Wire {
  readonly events: WireEvents;
  readonly sent: FromEdge[] = [];
  closes = 0;
  constructor(events: WireEvents) {
    this.events = events;
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text) as FromEdge);
  }
  close(): void {
    this.closes++;
    this.events.closed({ code: 'SYNC_CLOSED', message: 'closed' });
  }
  say(message: FromCloud): void {
    this.events.received(JSON.stringify(message));
  }
}

function linked(random = 0.5) {
  const clock = new ManualClock();
  const wires: FakeWire[] = [];
  const lines: string[] = [];
  const rows: StateRow[] = [];
  const listeners = new Set<() => void>();
  let merge: () => void = () => undefined;
  const write = (message: string, fields?: Record<string, unknown>): void =>
    void lines.push(`${message} ${JSON.stringify(fields)}`);
  const log: Log = { debug: write, info: write, warn: write, error: write, with: () => log };
  const twins: LinkedTwins = {
    epoch: 'e',
    rev: () => 0,
    seq: () => rows.length,
    rowsAfter: (seq) => rows.filter((row) => row.seq > seq),
    mergeWanted: () => merge(),
    acknowledged: () => undefined,
    resumeFrom: () => undefined,
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  const memory = { available: 0, private: 12 * 2 ** 20 };
  const told = { uptime: 1, board: 'one', memory };
  const link = new CloudLink({
    node: 'n1',
    twins,
    clock,
    log,
    random: () => random,
    facts: () => ({ ...told }) as never,
    dial: (events) => {
      const wire = new FakeWire(events);
      wires.push(wire);
      return wire;
    },
  });
  const latest = (): FakeWire => wires.at(-1) as FakeWire;
  const up = (): void => {
    latest().events.opened();
    latest().say({ type: 'welcome', seq: 0 });
  };
  const change = (): void => {
    rows.push({ kind: 'device', seq: rows.length + 1, device: 'default/d', state: 'online' });
    for (const listener of listeners) listener();
  };
  const failMerge = (task: () => void): void => void (merge = task);
  return { link, clock, wires, lines, latest, up, change, listeners, failMerge, told };
}
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test('changes of one turn go up as one page, in that turn', async () => {
  const { link, latest, up, change } = linked();
  link.start();
  up();
  change();
  change();
  await turn();
  const reports = latest().sent.filter((m) => m.type === 'report');
  assert.deepEqual(
    reports.map((r) => r.to),
    [2],
  );
  link.stop();
});

test('attempts become rarer, to five minutes, and never end', () => {
  const { link, clock, wires } = linked(1 - Number.EPSILON);
  link.start();
  const gaps: number[] = [];
  for (let i = 0; i < 12; i++) {
    const before = clock.now();
    const count = wires.length;
    wires.at(-1)?.events.closed({ code: 'ECONNREFUSED', message: 'no' });
    while (wires.length === count) clock.advance(100);
    gaps.push(clock.now() - before);
  }
  assert.ok((gaps[0] ?? 0) <= 2000, `first gap ${gaps[0]}`);
  assert.ok((gaps.at(-1) ?? 0) >= 299_000 && (gaps.at(-1) ?? 0) <= 300_100, `${gaps.at(-1)}`);
  link.stop();
});

test('one outage is one line in the log, whatever the number of attempts', () => {
  const { link, clock, lines, latest, up, wires } = linked();
  link.start();
  up();
  latest().events.closed({ code: 'ECONNRESET', message: 'cut' });
  for (let i = 0; i < 50; i++) {
    clock.advance(300_000);
    latest().events.closed({ code: 'ECONNREFUSED', message: 'no' });
  }
  clock.advance(300_000);
  up();
  assert.equal(wires.length, 52);
  assert.deepEqual(
    lines.map((line) => line.slice(0, line.indexOf('{') - 1)),
    ['cloud link up', 'cloud link lost', 'cloud not reached', 'cloud link up'],
  );
  assert.match(lines.at(-1) ?? '', /"attempts":51/);
  link.stop();
});

test('the server says when to come back', () => {
  const { link, clock, latest, up, wires } = linked();
  link.start();
  up();
  latest().say({ type: 'refuse', code: 'BUSY', message: 'later', retryAfter: 60_000 });
  clock.advance(59_999);
  assert.equal(wires.length, 1);
  clock.advance(1);
  assert.equal(wires.length, 2);
  assert.equal(link.status().error?.code, 'BUSY');
  link.stop();
});

test('a full disk does not make the edge hammer the cloud', () => {
  const { link, clock, latest, up, wires, failMerge } = linked();
  failMerge(() => {
    throw new Error('disk full');
  });
  link.start();
  for (let i = 0; i < 600; i++) {
    if (latest().closes === 0) {
      up();
      latest().say({ type: 'desire', to: 1, rows: [] });
    }
    clock.advance(1000);
  }
  assert.ok(wires.length <= 41, `${wires.length} attempts in 10 minutes`);
  assert.ok(wires.every((wire) => wire.sent.every((m) => m.type !== 'stored')));
  link.stop();
});

test('a bad message closes the connection, is told, and the next connection works', () => {
  const { link, clock, latest, up, lines } = linked();
  link.start();
  up();
  latest().events.received('{"type":"ack"}');
  assert.equal(latest().closes, 1);
  assert.equal(link.status().state, 'offline');
  assert.equal(link.status().error?.code, 'SYNC_BAD_MESSAGE');
  assert.match(lines.at(-1) ?? '', /cloud link lost.*seq/);
  clock.advance(300_000);
  up();
  assert.equal(link.status().state, 'connected');
  link.stop();
});

test('facts go up when they changed, at most every 30 s, and only while connected', () => {
  const { link, clock, latest, up, wires, told } = linked();
  const count = (wire = latest()) => wire.sent.filter((m) => m.type === 'facts').length;
  link.start();
  up();
  clock.advance(95_000);
  assert.equal(count(), 0, 'the hello said it all');
  for (let second = 0; second < 90; second++) {
    told.board = `board ${second}`;
    clock.advance(1_000);
  }
  assert.equal(count(), 3);
  latest().events.closed({ code: 'ECONNRESET', message: 'cut' });
  told.board = 'another';
  link.factsChanged();
  clock.advance(300_000);
  assert.equal(count(wires[0]), 3);
  link.stop();
});

test('a change that matters goes up at once, and a hundred of them as few', () => {
  const { link, clock, latest, up, told } = linked();
  const count = () => latest().sent.filter((m) => m.type === 'facts').length;
  link.start();
  up();
  clock.advance(5_000);
  told.board = 'changed';
  link.factsChanged();
  clock.advance(1);
  assert.equal(count(), 1);
  for (let each = 0; each < 100; each++) {
    told.board = `again ${each}`;
    link.factsChanged();
    clock.advance(100);
  }
  assert.equal(count(), 6, 'ten seconds, at least two apart');
  link.stop();
});

test('what moves all the time is no news, and comes along every 5 min', () => {
  const { link, clock, latest, up, told } = linked();
  link.start();
  up();
  for (let second = 0; second < 299; second++) {
    told.uptime += 1;
    told.memory = { ...told.memory, available: second * 2 ** 20, private: 12 * 2 ** 20 + second };
    clock.advance(1_000);
  }
  assert.equal(latest().sent.filter((m) => m.type === 'facts').length, 0);
  clock.advance(31_000);
  assert.equal(latest().sent.filter((m) => m.type === 'facts').length, 1);
  link.stop();
});

test('stopping closes the connection, forgets the store and never dials again', () => {
  const { link, clock, latest, up, wires, listeners } = linked();
  link.start();
  up();
  link.stop();
  assert.equal(latest().closes, 1);
  assert.equal(listeners.size, 0);
  clock.advance(3_600_000);
  assert.equal(wires.length, 1);
});

test('status tells connecting, connected, offline, each once', () => {
  const { link, clock, latest, up } = linked();
  const states: string[] = [link.status().state];
  link.onStatus(({ state }) => void states.push(state));
  link.start();
  up();
  for (let i = 0; i < 3; i++) {
    latest().events.closed({ code: 'ECONNREFUSED', message: 'no' });
    clock.advance(300_000);
  }
  up();
  assert.deepEqual(states, ['connecting', 'connected', 'offline', 'connected']);
  link.stop();
});
