/** One life of a small fleet: two edges, one cloud, and everything that can happen to them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Json, Log } from '@limpet/dmi';
import type { Id } from '@limpet/dmi/manifest';
import type { Order } from '#cloud/service/store/desired.ts';
import { Chance } from './chance.ts';
import { cloudDisk } from './cloud-disk.ts';
import { Connection } from './connection.ts';
import { Disk } from './disk.ts';
import { Ledger } from './ledger.ts';
import { device, DEVICES, LOCAL, model, NODES, PROPERTIES } from './plant.ts';
import { SimClock } from './sim-clock.ts';
import { SimCloud } from './sim-cloud.ts';
import { SimEdge } from './sim-edge.ts';
import type { Variant } from './variant.ts';

export interface WorldOptions {
  readonly seed: number;
  readonly variant: Variant;
  readonly folder: string;
}

/** An order to give. */
export interface Wish {
  readonly id: Id;
  readonly property: string;
  readonly value: Json;
  readonly expiresMs?: number | undefined;
}

/** What went wrong, with the seed that shows it again and what led there. */
export class LifeFailed extends Error {
  constructor(seed: number, what: string, trace: readonly string[]) {
    super(`seed ${seed}: ${what}\n${trace.slice(-60).join('\n')}`);
  }
}

const START = Date.UTC(2026, 10, 21);
const silence = (): void => undefined;
const silent: Log = {
  debug: silence,
  info: silence,
  warn: silence,
  error: silence,
  with: () => silent,
};

export class World {
  readonly chance: Chance;
  cloud!: SimCloud;
  edges: readonly SimEdge[] = [];
  readonly ledger = new Ledger();
  /** Connections of which the cloud has not noticed yet that the edge is gone. */
  readonly ghosts: Connection[] = [];
  readonly #registers = new Map<Id, Map<string, Json>>();
  readonly #trace: string[] = [];
  readonly #seed: number;
  readonly #folder: string;
  backup: string | undefined;
  /** The cloud came back with an older copy at least once. */
  restored = false;

  static async begin({ seed, variant, folder }: WorldOptions): Promise<World> {
    const world = new World(seed, folder);
    await world.#start(variant);
    return world;
  }

  private constructor(seed: number, folder: string) {
    this.#seed = seed;
    this.chance = new Chance(seed);
    this.#folder = mkdtempSync(join(folder, 'life-'));
  }

  async #start(variant: Variant): Promise<void> {
    const fail = (what: string): void => this.fail(what);
    const parts = () => ({
      clock: new SimClock(START),
      log: silent,
      variant,
      fail,
    });
    this.cloud = await SimCloud.start({
      disk: cloudDisk(this.#folder, 'cloud'),
      ...parts(),
    });
    const letGo = (node: string, id: Id): void => this.#letGo(node, id);
    // Half of the lives are on a disk whose wear is spared as far as the edge goes.
    const commitMs = this.#seed % 2 === 0 ? 10 : 10_000;
    this.edges = NODES.map(
      (node) =>
        new SimEdge({ node, letGo, commitMs, disk: new Disk(this.#folder, node), ...parts() }),
    );
  }

  note(what: string): void {
    this.#trace.push(what);
  }

  fail(what: string): never {
    throw new LifeFailed(this.#seed, what, this.#trace);
  }

  registers(id: Id): Map<string, Json> {
    const held = this.#registers.get(id) ?? new Map<string, Json>();
    this.#registers.set(id, held);
    return held;
  }

  edge(node: string): SimEdge | undefined {
    return this.edges.find((edge) => edge.node === node);
  }

  connect(edge: SimEdge): void {
    if (edge.connection !== undefined) return;
    const connection = new Connection(edge.node, edge.store.epoch);
    this.cloud.accept(connection);
    edge.connect(connection);
  }

  /** The edge notices that the wire is cut; the cloud does later, and what is under way may still arrive there. */
  cut(edge: SimEdge): void {
    if (edge.connection !== undefined) this.ghosts.push(edge.connection);
    edge.disconnect();
  }

  /** One message up, and what is waiting of dead connections. */
  deliver(edge: SimEdge): boolean {
    const { connection } = edge;
    if (connection === undefined) return false;
    const up = connection.deliverUp() !== undefined;
    const down = edge.hear();
    // Closed by the cloud, and nothing more to hear.
    if (connection.cloud === undefined && connection.down.length === 0) edge.disconnect();
    return up || down;
  }

  advance(ms: number): void {
    for (const edge of this.edges) edge.clock.advance(ms);
    this.cloud.clock.advance(ms);
  }

  order({ id, property, value, expiresMs }: Wish): void {
    this.cloud.request(
      async ({ objects, wanted, now: clock }) => {
        const node = await objects.nodeOf(id);
        if (node === undefined) return undefined;
        const now = clock();
        const expires = expiresMs === undefined ? undefined : now + expiresMs;
        const order = { device: id, property, node, value };
        return { node, rev: await wanted.order({ ...order, accepted: now, expires }) };
      },
      (taken) => {
        if (taken === undefined) return;
        const { node, rev } = taken;
        this.note(`cloud took ${id}/${property}=${JSON.stringify(value)} rev ${rev}`);
        this.ledger.take({ device: id, property, rev, value, node });
      },
    );
  }

  async localOrder(edge: SimEdge, wish: Wish): Promise<void> {
    const { id, property, value, expiresMs } = wish;
    if (edge.store.device(id) === undefined) return;
    const rev = edge.order(id, property, value, expiresMs);
    this.note(`${edge.node} took ${id}/${property}=${JSON.stringify(value)} rev ${rev}`);
    const owner = await this.cloud.read(({ objects }) => objects.nodeOf(id));
    // An edge that does not know yet that its device has gone takes orders in vain.
    const mine = owner === edge.node || (id === LOCAL && owner === undefined);
    if (mine) this.ledger.take({ device: id, property, rev, value, node: edge.node });
  }

  /** Creates, changes or moves a device; its model comes first. */
  place(id: Id, node: string, description: string): void {
    this.cloud.request(
      async ({ objects, wanted, desired }) => {
        const before = await objects.nodeOf(id);
        if (!(await objects.has('DeviceModel', 'default/m'))) {
          await wanted.put('default/m', model('first'));
        }
        await wanted.put(id, device(id, node, description));
        return { before, orders: await desired.of(id) };
      },
      ({ before, orders }) => {
        this.note(`cloud placed ${id} on ${node}, was on ${before}`);
        if (before !== node) this.#moved(id, orders);
      },
    );
  }

  remove(id: Id): void {
    this.cloud.request(
      async ({ objects, wanted }) => {
        const held = await objects.get('Device', id);
        if (held !== undefined) await wanted.remove(held);
        return held !== undefined;
      },
      (removed) => {
        if (!removed) return;
        this.note(`cloud removed ${id}`);
        this.#moved(id, []);
      },
    );
  }

  remodel(description: string): void {
    this.cloud.request(
      ({ wanted }) => wanted.put('default/m', model(description)),
      () => this.note(`cloud changed the model: ${description}`),
    );
  }

  async end(): Promise<void> {
    for (const edge of this.edges) edge.close();
    await this.cloud.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** What the cloud knows of its orders counts from here on. */
  #moved(id: Id, orders: readonly Order[]): void {
    this.ledger.drop(id);
    for (const { property, rev, value, node } of orders) {
      this.ledger.take({ device: id, property, rev, value, node });
    }
    for (const edge of this.edges) edge.forgetApplied(id);
  }

  /**
   * In a history that the restored cloud forgot, the device had gone elsewhere. What the edge took of orders before it
   * learned that, and told nobody, goes with it.
   */
  #letGo(node: string, id: Id): void {
    if (!this.restored) return;
    this.ledger.keep((order) => {
      return order.device !== id || order.node !== node || this.cloud.memory.knew(order);
    });
  }

  /** Is the order held by the cloud, or by the edge that runs the device? */
  async held(property: string, id: Id, rev: number): Promise<boolean> {
    const cloud = await this.cloud.read(async ({ objects, desired }) => {
      if (!(await objects.has('Device', id))) return undefined;
      return (await desired.get(id, property))?.rev;
    });
    if ((cloud ?? -1) >= rev) return true;
    return this.edges.some((edge) => {
      const known = edge.store.device(id) && edge.store.twin(id)?.properties.get(property);
      return (known?.desired?.rev ?? -1) >= rev;
    });
  }
}

export const anyDevice = (chance: Chance): Id => chance.of([...DEVICES, LOCAL]);
export const anyProperty = (chance: Chance): string => chance.of(PROPERTIES);

/** Some order; `expiresMs` from now, or never. */
export function anyWish(chance: Chance, expiresMs?: number): Wish {
  return {
    id: anyDevice(chance),
    property: anyProperty(chance),
    value: chance.below(100),
    expiresMs,
  };
}
