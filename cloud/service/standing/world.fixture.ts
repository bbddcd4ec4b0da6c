/** A cloud's store under standing queries, in which a seed decides what happens. */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { fakeClock, type FakeClock } from '@limpet/dmi/testing';

import type { Device, DeviceModel, Kind, Node, Resource } from '@limpet/dmi/manifest';
import type { StateRow } from '#protocol';
import { ApiError, type Document } from '#protocol/api';
import type { Fleet } from '#protocol/query';
import { CloudBackend } from '../backend.ts';
import { applyReports } from '../hub/apply-report.ts';
import { join, leave } from '../hub/presence.ts';
import { CloudStore } from '../store/store.ts';
import { FACTS, placeOf, silent, type Writes, writesTo } from '../testing.ts';
import { Random } from '#cloud/protocol/query/random.fixture.ts';
import { catalogs } from './catalog.ts';
import type { StandingReads } from './reads.ts';
import { Standings } from './standings.ts';
import type { StandingLimits } from './limits.ts';

const API = 'limpet.dev/v1';
const NODES = ['n1', 'n2', 'n3'] as const;
const MODELS = ['boiler', 'pump'] as const;
const NAMES = ['d0', 'd1', 'd2', 'd3', 'd4', 'd5', 'd6', 'd7', 'd8', 'd9'] as const;
const HALLS = ['north', 'south'] as const;
/** Nothing flips by time alone in the second half of each. */
export const CELL_MS = 10_000;

/** What the product is broken by. */
export interface Break {
  reads?(reads: StandingReads): StandingReads;
}

export class World {
  readonly random: Random;
  readonly clock: FakeClock = fakeClock(Date.UTC(2026, 10, 22));
  readonly #file: string;
  readonly #limits: Partial<StandingLimits>;
  readonly #broken: Break;
  store!: CloudStore;
  standings!: Standings;
  #backend!: CloudBackend;
  #writes!: Writes;
  #seq = 0;
  readonly #reading = new Set<Promise<unknown>>();
  /** When those who wait for time want to go on. */
  readonly #due = new Set<{ readonly at: number }>();

  constructor(
    seed: number,
    folder: string,
    { limits = {}, broken = {} }: { limits?: Partial<StandingLimits>; broken?: Break } = {},
  ) {
    this.random = new Random(seed);
    this.#file = path.join(folder, `${seed}`, 'cloud.db');
    this.#limits = limits;
    this.#broken = broken;
  }

  async start(): Promise<void> {
    rmSync(path.dirname(this.#file), { recursive: true, force: true });
    mkdirSync(path.dirname(this.#file), { recursive: true });
    await this.open();
    for (const model of MODELS) await this.#put(modelOf(model, 'Cel', ''));
    for (const name of NAMES.slice(0, 6)) await this.#put(this.#deviceOf(name));
    for (const node of NODES.slice(0, 2)) await this.#join(node);
  }

  async open(): Promise<void> {
    const { clock } = this;
    this.store = await CloudStore.open({
      path: placeOf(this.#file),
      clock,
      log: silent,
    });
    const { store } = this;
    this.#backend = new CloudBackend(store);
    this.#writes = writesTo(this.#backend);
    const read: StandingReads['look'] = (work) => {
      const reading = store.read(({ sql }) => work(sql));
      this.#reading.add(reading);
      return reading.finally(() => this.#reading.delete(reading));
    };
    const reads: StandingReads = { look: read, scan: read, catalog: catalogs(read) };
    this.standings = new Standings({
      reads: this.#broken.reads?.(reads) ?? reads,
      clock: { ...clock, after: (ms, task) => this.#after(ms, task) },
      onChange: (listener) => store.onChange(() => listener()),
      failure: (error) => {
        if (error instanceof ApiError) return error;
        throw error;
      },
      limits: { page: 3, undo: 40, ...this.#limits },
    });
  }

  /** Without a goodbye. */
  async restart(): Promise<void> {
    await this.standings.close();
    await this.store.close();
    await this.open();
  }

  /**
   * Moves time, which stands still while anybody waits for the database: that may be another process, and a look during
   * which half a minute goes by is one that is too expensive to be done again soon.
   */
  async advance(ms: number): Promise<void> {
    const { clock } = this;
    const end = clock.monotonic() + ms;
    await this.still();
    while (clock.monotonic() < end) {
      const next = Math.min(end, ...[...this.#due].map(({ at }) => at));
      await clock.advance(Math.max(0, next - clock.monotonic()));
      await this.still();
    }
  }

  /** Resolves when nobody waits for the database. */
  async still(): Promise<void> {
    for (let quiet = 0; quiet < 5; quiet++) {
      if (this.#reading.size > 0) quiet = 0;
      await Promise.allSettled(this.#reading);
      await turn();
    }
  }

  /** Something out of the seed. */
  async happen(): Promise<void> {
    const { random } = this;
    const what = random.below(100);
    if (what < 45) return this.#report();
    if (what < 52) return this.#relabel();
    if (what < 60) return this.#order();
    if (what < 66) return this.#declare();
    if (what < 71) return this.#remove();
    if (what < 78) return this.#join(random.of(NODES));
    if (what < 84) return this.#leave(random.of(NODES));
    if (what < 87) return this.#labelNode();
    if (what < 90) return this.#changeModel();
    // What else happens meanwhile happens within the first half of the cell.
    const rest = CELL_MS - (this.clock.monotonic() % CELL_MS);
    await this.advance(rest + CELL_MS * random.below(4));
  }

  async fleet(): Promise<Fleet> {
    const [devices, nodes, models] = await Promise.all([
      this.#all<Device>('Device'),
      this.#all<Node>('Node'),
      this.#all<DeviceModel>('DeviceModel'),
    ]);
    return { devices: () => devices, nodes: () => nodes, models: () => models };
  }

  async close(): Promise<void> {
    await this.standings.close();
    await this.store.close();
    rmSync(path.dirname(this.#file), { recursive: true, force: true });
  }

  #after(ms: number, task: () => void): () => void {
    const due = { at: this.clock.monotonic() + Math.max(0, ms) };
    this.#due.add(due);
    const cancel = this.clock.after(ms, () => {
      this.#due.delete(due);
      task();
    });
    return () => {
      this.#due.delete(due);
      cancel();
    };
  }

  async #all<T extends Resource>(kind: Kind): Promise<readonly T[]> {
    const query = { kind, selection: { labels: [], fields: [] } };
    return (await this.#backend.list(query, { limit: 1000 })).items as readonly T[];
  }

  async #report(): Promise<void> {
    const { random } = this;
    const device = random.of(NAMES);
    const known = await this.store.read(({ objects }) =>
      objects.get('Device', `default/${device}`),
    );
    if (known?.doc.kind !== 'Device') return;
    const { node } = known.doc.spec;
    if ((await this.store.read(({ nodes }) => nodes.get(node)))?.state !== 'online') return;
    const rows: StateRow[] = [];
    for (let left = 1 + random.below(3); left > 0; left--) {
      rows.push(await this.#row(`default/${device}`));
    }
    await this.store.commit.run((tx) =>
      applyReports(tx, [{ node, rows, to: (this.#seq += 1), strays: 10 }]),
    );
  }

  async #row(device: string): Promise<StateRow> {
    const { random } = this;
    const [seq, at] = [(this.#seq += 1), this.clock.now()];
    if (random.below(5) === 0) {
      const state = random.of(['online', 'connecting', 'misconfigured'] as const);
      const reason = { code: random.of(['TIMEOUT', 'REFUSED'] as const), message: '' };
      return {
        kind: 'device',
        seq,
        device,
        state,
        lastSeen: at,
        ...(state !== 'online' && { reason }),
      };
    }
    const property = random.of(['temperature', 'setpoint', 'serial'] as const);
    const value =
      property === 'serial' ? random.of(['a', 'b', 'c'] as const) : random.below(5) * 25;
    const quality = random.of(['good', 'good', 'bad'] as const);
    const reported = {
      value,
      at,
      quality,
      ...(quality === 'bad' && { reason: { code: 'BUSY', message: '' } }),
    };
    const order = await this.store.read(({ desired }) => desired.get(device, property));
    if (!order || random.below(2) === 0)
      return { kind: 'property', seq, device, property, reported };
    const verdict = random.of(['applied', 'rejected'] as const);
    const desired = {
      value: order.value,
      rev: order.rev,
      verdict,
      stages: { accepted: at, stored: at },
    };
    return { kind: 'property', seq, device, property, reported, desired };
  }

  #relabel(): Promise<void> {
    const { random } = this;
    const hall = random.below(3) === 0 ? null : random.of(HALLS);
    return this.#patch('Device', random.of(NAMES), { metadata: { labels: { hall } } });
  }

  #order(): Promise<void> {
    const { random } = this;
    const setpoint = random.below(4) === 0 ? null : random.below(4) * 25;
    return this.#patch('Device', random.of(NAMES), { spec: { desired: { setpoint } } });
  }

  async #declare(): Promise<void> {
    const { random } = this;
    const name = random.of(NAMES);
    const spec = { node: random.of(NODES), model: random.of(MODELS) };
    const known = await this.store.read(({ objects }) => objects.has('Device', `default/${name}`));
    if (known) await this.#patch('Device', name, { spec });
    else await this.#put(this.#deviceOf(name));
  }

  async #remove(): Promise<void> {
    const { random } = this;
    const node = random.below(6) === 0;
    const name = node ? random.of(NODES) : random.of(NAMES);
    const target = node
      ? ({ kind: 'Node', name } as const)
      : ({ kind: 'Device', namespace: 'default', name } as const);
    await tolerant(() => this.#backend.remove(target, {}));
  }

  async #join(node: string): Promise<void> {
    const facts = { ...FACTS, uptime: this.random.below(3) };
    const hello = { type: 'hello', protocol: 1, node, epoch: `e-${node}`, rev: 0, facts } as never;
    await this.store.commit.run((tx) => join(tx, hello));
  }

  #leave(node: string): Promise<void> {
    return this.store.commit.run((tx) => leave(tx, node));
  }

  #labelNode(): Promise<void> {
    const { random } = this;
    return this.#patch('Node', random.of(NODES), {
      metadata: { labels: { site: random.of(HALLS) } },
    });
  }

  async #changeModel(): Promise<void> {
    const { random } = this;
    const units = ['Cel', 'Cel', 'K'] as const;
    const doc = modelOf(random.of(MODELS), random.of(units), random.of(['', 'new'] as const));
    const target = { kind: 'DeviceModel', namespace: 'default', name: doc.metadata.name } as const;
    await tolerant(() => this.#writes.replace(target, doc as unknown as Document));
  }

  async #patch(kind: Kind, name: string, patch: Document): Promise<void> {
    const target = kind === 'Node' ? { kind, name } : { kind, namespace: 'default', name };
    await tolerant(() => this.#writes.patch(target, patch));
  }

  async #put(doc: Resource): Promise<void> {
    const { kind, metadata } = doc;
    const target = { kind, namespace: 'default', name: metadata.name };
    await tolerant(() => this.#writes.create(target, doc as unknown as Document));
  }

  #deviceOf(name: string): Device {
    const { random } = this;
    return {
      apiVersion: API,
      kind: 'Device',
      metadata: { name, namespace: 'default', labels: { hall: random.of(HALLS) } },
      spec: { model: random.of(MODELS), node: random.of(NODES), settings: {} },
    };
  }
}

/** What is refused did not happen. */
async function tolerant(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    assert.ok(error instanceof ApiError, String(error));
  }
}

function modelOf(name: string, unit: string, description: string): DeviceModel {
  const visitor = {};
  return {
    apiVersion: API,
    kind: 'DeviceModel',
    metadata: { name, namespace: 'default' },
    spec: {
      protocol: 'modbus',
      ...(description !== '' && { description }),
      properties: [
        { name: 'temperature', type: 'float', unit, visitor },
        { name: 'setpoint', type: 'float', access: 'readWrite', visitor },
        { name: 'serial', type: 'string', visitor },
      ],
    },
  } as DeviceModel;
}
