/** One board: the real twin store and session, on a disk, with devices and a reconciler small enough to foresee. */
import { TwinStore } from '#runtime/twin/store.ts';
import type { Json, Log } from '@limpet/dmi';
import type { Device, DeviceModel, Id } from '@limpet/dmi/manifest';
import type { Connection } from './connection.ts';
import type { Disk } from './disk.ts';
import { FACTS, PROPERTIES } from './plant.ts';
import type { SimClock } from './sim-clock.ts';
import type { OpeningEdgeEnd, Variant } from './variant.ts';

export interface SimEdgeOptions {
  readonly node: string;
  readonly disk: Disk;
  readonly clock: SimClock;
  readonly log: Log;
  readonly variant: Variant;
  readonly fail: (what: string) => void;
  /** The device is not of this edge any more. */
  readonly letGo: (node: string, device: Id) => void;
  /** How far apart commits of reported values are. */
  readonly commitMs: number;
}

export class SimEdge {
  readonly node: string;
  readonly clock: SimClock;
  store: TwinStore;
  connection: Connection | undefined;
  readonly #options: SimEdgeOptions;
  #session: OpeningEdgeEnd | undefined;
  /** Highest cursor that `stored` was said for; cleared when the disk is lost. */
  #claimed = 0;
  /** Rev of the last order applied at a device, by this edge and this disk. */
  #applied = new Map<string, number>();

  constructor(options: SimEdgeOptions) {
    this.#options = options;
    this.node = options.node;
    this.clock = options.clock;
    this.store = this.#open();
  }

  connect(connection: Connection): void {
    const { variant, node } = this.#options;
    const session = variant.edgeSession({
      node,
      twins: variant.twins(this.store),
      send: (message) => {
        if (message.type === 'stored') this.#claimed = Math.max(this.#claimed, message.rev);
        connection.sendUp(message);
      },
      close: () => this.disconnect(),
    });
    connection.edge = session;
    this.connection = connection;
    this.#session = session;
    session.opened(FACTS);
  }

  disconnect(): void {
    this.connection?.edgeGone();
    this.connection = undefined;
    this.#session = undefined;
  }

  changed(): void {
    this.#session?.changed();
  }

  /** The next message of the cloud, if any. */
  hear(): boolean {
    const { connection } = this;
    if (connection === undefined) return false;
    return this.#options.disk.synced(() => connection.deliverDown()) !== undefined;
  }

  order(device: Id, property: string, value: Json, expiresMs?: number): number {
    const options = expiresMs === undefined ? {} : { expiresMs };
    return this.#options.disk.synced(() => this.store.order(device, property, value, options));
  }

  /** The files of this node, as they are now. */
  files(docs: readonly (Device | DeviceModel)[]): void {
    this.#options.disk.synced(() => this.store.applyManifest(docs, 'files'));
  }

  /** Reads a device as the device room would: what differs from the twin, or is not good, is reported. */
  read(device: Id, registers: ReadonlyMap<string, Json>): void {
    const twin = this.store.twin(device);
    if (twin === undefined) return;
    const at = this.clock.now();
    this.store.condition(device, { state: 'online' });
    for (const property of PROPERTIES) {
      const held = twin.properties.get(property)?.reported;
      const value = registers.get(property) ?? 0;
      if (held?.quality === 'good' && held.value === value) continue;
      this.store.report(device, new Map([[property, { value, at, quality: 'good' }]]));
    }
  }

  /** Carries out what is pending for a device; `stop` is asked between the steps, as a power cut would. */
  reconcile(device: Id, registers: Map<string, Json>, stop: () => boolean): void {
    for (const [property, { desired }] of this.store.twin(device)?.properties ?? []) {
      if (desired?.verdict !== 'pending') continue;
      const { rev, value } = desired;
      const deadline = this.store.deadline(device, property);
      if (deadline !== undefined && deadline <= this.clock.now()) {
        this.store.judge(device, property, rev, { verdict: 'expired' });
        continue;
      }
      this.store.judge(device, property, rev, { sent: this.clock.now() });
      if (stop()) return;
      this.#apply(device, property, rev);
      registers.set(property, value);
      if (stop()) return;
      this.read(device, registers);
      const confirmed = this.clock.now();
      this.store.judge(device, property, rev, { confirmed, verdict: 'applied', readBack: value });
    }
  }

  /** The process ends, or the machine; nothing of it says goodbye. */
  restart(how: 'killed' | { readonly powerLost: number } | 'wiped' | 'corrupted'): void {
    const { disk } = this.#options;
    this.disconnect();
    this.clock.forget();
    if (how === 'killed') disk.killed();
    else if (typeof how === 'object') disk.powerLost(how.powerLost);
    const dead = this.store;
    if (how === 'wiped') disk.wiped();
    else if (how === 'corrupted') disk.corrupted();
    dead.close();
    this.clock.forget();
    this.store = this.#open();
    if (how === 'wiped' || how === 'corrupted') {
      this.#claimed = 0;
      this.#applied.clear();
      const expected = how === 'wiped' ? 'created' : 'recovered';
      if (this.store.opened.kind !== expected)
        this.#options.fail(`store was ${this.store.opened.kind}`);
    } else if (this.store.rev() < this.#claimed) {
      this.#options.fail(`${this.node} said stored{${this.#claimed}} and has ${this.store.rev()}`);
    }
  }

  /** The device left this edge: what it applied there does not bind whoever comes next. */
  forgetApplied(device: Id): void {
    for (const key of this.#applied.keys())
      if (key.startsWith(`${device}/`)) this.#applied.delete(key);
  }

  close(): void {
    this.disconnect();
    this.store.close();
  }

  #apply(device: Id, property: string, rev: number): void {
    const key = `${device}/${property}`;
    const before = this.#applied.get(key) ?? 0;
    if (rev < before) this.#options.fail(`${key}: order ${rev} applied after ${before}`);
    this.#applied.set(key, rev);
  }

  #open(): TwinStore {
    const { disk, clock, log, node, letGo, commitMs } = this.#options;
    const options = { path: disk.path, clock, log, commitMs: () => commitMs };
    const store = disk.synced(() => TwinStore.open(options));
    store.onChange((change) => {
      if (change.kind !== 'resource' || change.type !== 'Device') return;
      if (change.doc === null) letGo(node, change.id);
    });
    return store;
  }
}
