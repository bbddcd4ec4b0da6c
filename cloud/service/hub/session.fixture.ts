/** A store, the API over it and edges that talk to sessions, turn by turn. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach } from 'node:test';
import type { Device, Kind } from '@limpet/dmi/manifest';
import type { FromCloud, FromEdge, StateRow, WantedRow } from '#protocol';
import type { Document } from '#protocol/api';
import { CloudBackend } from '../backend.ts';
import { CloudStore } from '../store/store.ts';
import {
  BOILER,
  BOILER_1,
  clockAt,
  FACTS,
  placeOf,
  silent,
  type Writes,
  writesTo,
} from '../testing.ts';
import { Reports } from './reports.ts';
import { CloudSession } from './session.ts';

export const T0 = Date.UTC(2026, 10, 21);
export const ID = 'default/boiler-1';
export const target = { kind: 'Device', namespace: 'default', name: 'boiler-1' } as const;
export const modelTarget = { kind: 'DeviceModel', namespace: 'default', name: 'boiler' } as const;

const folder = mkdtempSync(join(tmpdir(), 'limpet-session-'));
let files = 0;
after(() => rmSync(folder, { recursive: true, force: true }));

export let clock: ReturnType<typeof clockAt>;
export let store: CloudStore;
export let backend: CloudBackend;
export let writes: Writes;
let tasks: (() => void)[];
let sessions: Map<string, CloudSession>;

/** Runs what waits for its turn, as the event loop would. */
export async function turn(): Promise<void> {
  for (const task of tasks.splice(0)) task();
  do await new Promise((resolve) => setImmediate(resolve));
  while (store.busy);
}

afterEach(() => store.close());
beforeEach(async () => {
  clock = clockAt(T0);
  tasks = [];
  sessions = new Map();
  store = await CloudStore.open({
    path: placeOf(join(folder, `${(files += 1)}.db`)),
    clock,
    log: silent,
    soon: (task) => void tasks.push(task),
  });
  backend = new CloudBackend(store);
  writes = writesTo(backend);
  store.onChange(() => {
    for (const session of sessions.values()) session.wantedChanged();
  });
});

/** An API write, committed. */
export async function api<T>(request: Promise<T>): Promise<T> {
  await turn();
  clock.advance(1);
  return request;
}

export async function rig(): Promise<void> {
  await api(writes.create(modelTarget, BOILER as unknown as Document));
  await api(writes.create(target, BOILER_1 as unknown as Document));
}

/** One connection of an edge, which notes what it is told. */
export class Edge {
  readonly heard: FromCloud[] = [];
  closedWith: number | undefined;
  readonly session: CloudSession;

  constructor() {
    this.session = new CloudSession({
      store,
      reports: new Reports(store),
      log: silent,
      send: (message) => void this.heard.push(message),
      close: (code) => {
        this.closedWith = code;
      },
      admit: (node) => {
        sessions.get(node)?.fence();
        sessions.set(node, this.session);
      },
      here: () => false,
      after: () => () => undefined,
    });
  }

  async say(message: FromEdge): Promise<this> {
    this.session.received(message);
    await turn();
    return this;
  }

  hello(node = 'gateway-1', epoch = 'e1', rev = 0): Promise<this> {
    return this.say({ type: 'hello', protocol: 1, node, epoch, rev, facts: FACTS });
  }

  report(to: number, ...rows: StateRow[]): Promise<this> {
    return this.say({ type: 'report', to, rows });
  }

  /** Stores desire pages until there are no more; answers with all rows and the cursor. */
  async storeAll(): Promise<{ rows: readonly WantedRow[]; cursor: number }> {
    const rows: WantedRow[] = [];
    let cursor = 0;
    for (;;) {
      const page = this.heard.find((message) => message.type === 'desire');
      if (page === undefined) return { rows, cursor };
      this.heard.splice(this.heard.indexOf(page), 1);
      rows.push(...page.rows);
      cursor = Math.max(cursor, page.to);
      await this.say({ type: 'stored', rev: page.to });
    }
  }

  types(): readonly string[] {
    return this.heard.map(({ type }) => type);
  }
}

export function property(seq: number, value: number, more: Partial<StateRow> = {}): StateRow {
  const reported = { value, at: clock.now(), quality: 'good' } as const;
  const row = { kind: 'property', seq, device: ID, property: 'setpoint', reported } as const;
  return { ...row, ...more } as StateRow;
}

export function wantedDevice(seq: number, rev: number, doc: Device | null): StateRow {
  return { kind: 'resource', type: 'Device', id: ID, rev, doc, seq };
}

export function deviceOn(node: string): Device {
  const { desired: _, ...spec } = BOILER_1.spec;
  return { ...BOILER_1, spec: { ...spec, node } };
}

export const shown = async (kind: Kind = 'Device', id: string = ID) =>
  (await store.read(({ view }) => view.get(kind, id))) ?? assert.fail('it is not there');
export const status = async () => ((await shown()) as Device).status;
export const keys = (rows: readonly WantedRow[]) =>
  rows.map((row) => (row.kind === 'desired' ? row.property : `${row.type} ${row.doc ? '+' : '-'}`));
