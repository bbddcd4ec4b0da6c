/** The cloud: the real store and sessions, on a disk, with a hub small enough to foresee. */
import { Reports } from '#cloud/service/hub/reports.ts';
import { CloudStore, type Reading, type Writing } from '#cloud/service/store/store.ts';
import type { FromCloud } from '#protocol';
import type { Log } from '@limpet/dmi';
import type { CloudEnd, Connection } from './connection.ts';
import type { CloudDisk } from './cloud-disk.ts';
import { Memory } from './memory.ts';
import type { SimClock } from './sim-clock.ts';
import type { Variant } from './variant.ts';

export interface SimCloudOptions {
  readonly disk: CloudDisk;
  readonly clock: SimClock;
  readonly log: Log;
  readonly variant: Variant;
  readonly fail: (what: string) => void;
}

export class SimCloud {
  readonly clock: SimClock;
  store!: CloudStore;
  #reports!: Reports;
  /** Mirrors as they were seen last, to notice what must never go back. */
  readonly memory: Memory;
  readonly #options: SimCloudOptions;
  readonly #connections = new Set<Connection>();
  readonly #live = new Map<string, CloudEnd>();
  /** What `welcome` and `ack` were said for. */
  readonly #claimed = new Map<string, { epoch: string; seq: number }>();
  #tasks: (() => void)[] = [];
  /** Which life of the process this is: a dead one says nothing any more. */
  #life = 0;

  static async start(options: SimCloudOptions): Promise<SimCloud> {
    const cloud = new SimCloud(options);
    await cloud.#open();
    return cloud;
  }

  private constructor(options: SimCloudOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.memory = new Memory(options.fail);
  }

  accept(connection: Connection): void {
    const { variant, log } = this.#options;
    const life = this.#life;
    const session = variant.cloudSession({
      store: variant.cloudStore(this.store),
      reports: this.#reports,
      log,
      send: (message) => {
        if (life !== this.#life) return;
        this.#claim(connection, message);
        connection.sendDown(message);
      },
      close: () => this.leave(connection),
      here: () => false,
      after: () => () => undefined,
      admit: (node) => {
        // What was said in another conversation counts no more once this one begins.
        this.#claimed.delete(node);
        this.#live.get(node)?.fence();
        this.#live.set(node, session);
      },
    });
    connection.cloud = session;
    this.#connections.add(connection);
  }

  /** The cloud has noticed that the connection is gone. */
  leave(connection: Connection): void {
    this.#connections.delete(connection);
    connection.cloudGone();
  }

  /** One turn of the event loop: what waits is committed, then answered. */
  async turn(): Promise<boolean> {
    const tasks = this.#tasks.splice(0);
    for (const task of tasks) task();
    await this.rest();
    if (tasks.length > 0) await this.memory.look(this.store);
    return tasks.length > 0;
  }

  /** Everything that is only waiting for statements gets to its end. */
  async rest(): Promise<void> {
    do await new Promise((resolve) => setImmediate(resolve));
    while (this.store.busy);
  }

  read<T>(work: (reading: Reading) => Promise<T>): Promise<T> {
    return this.store.read(work);
  }

  /** A request to the API; `accepted` once it is on disk. */
  request<T>(work: (tx: Writing) => Promise<T>, accepted: (value: T) => void): void {
    const life = this.#life;
    this.store.commit.add(work, (outcome) => {
      if (life !== this.#life) return;
      if (!outcome.ok) throw outcome.error;
      accepted(outcome.value);
    });
  }

  async backup(): Promise<string> {
    return this.#options.disk.backup();
  }

  /** The process ends; `backup`: it comes back with this copy. Every commit was synced, so power loss is no worse. */
  async restart(backup?: string): Promise<void> {
    const { disk, fail } = this.#options;
    this.#life++;
    this.#tasks = [];
    for (const connection of this.#connections) connection.cloud = undefined;
    this.#connections.clear();
    this.#live.clear();
    if (backup === undefined) await disk.killed();
    else await disk.restore(backup);
    await this.store.close();
    this.#tasks = [];
    await this.#open();
    if (backup !== undefined) {
      this.#claimed.clear();
      this.memory.forget();
      return;
    }
    for (const [node, { epoch, seq }] of this.#claimed) {
      const known = await this.read(({ nodes }) => nodes.get(node));
      if (known === undefined) fail(`the cloud welcomed ${node} and forgot it`);
      else if (known.epoch === epoch && known.seq < seq) {
        fail(`the cloud said ack{${seq}} to ${node} and has ${known.seq}`);
      }
    }
  }

  async close(): Promise<void> {
    await this.store.close();
  }

  #claim({ node, epoch }: Connection, message: FromCloud): void {
    if (message.type !== 'welcome' && message.type !== 'ack') return;
    this.#claimed.set(node, { epoch, seq: message.seq });
  }

  async #open(): Promise<void> {
    const { disk, clock, log, variant } = this.#options;
    const soon = (task: () => void): void => void this.#tasks.push(task);
    const store = await CloudStore.open({ path: disk.place, clock, log, soon });
    store.onChange(({ nodes }) => {
      for (const [node, session] of this.#live) {
        if (nodes === 'all' || nodes.has(node)) session.wantedChanged();
      }
    });
    this.store = store;
    this.#reports = new Reports(variant.cloudStore(store));
  }
}
