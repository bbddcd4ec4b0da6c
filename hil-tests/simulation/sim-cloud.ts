/** The cloud: the real store and sessions, on a disk, with a hub small enough to foresee. */
import { CloudStore } from '#cloud/service/store/store.ts';
import type { FromCloud } from '#protocol';
import type { Log } from '@limpet/dmi';
import type { CloudEnd, Connection } from './connection.ts';
import type { Disk } from './disk.ts';
import { Memory } from './memory.ts';
import type { SimClock } from './sim-clock.ts';
import type { Variant } from './variant.ts';

export interface SimCloudOptions {
  readonly disk: Disk;
  readonly clock: SimClock;
  readonly log: Log;
  readonly variant: Variant;
  readonly fail: (what: string) => void;
}

export class SimCloud {
  readonly clock: SimClock;
  store: CloudStore;
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

  constructor(options: SimCloudOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.memory = new Memory(options.fail);
    this.store = this.#open();
  }

  accept(connection: Connection): void {
    const { variant, log } = this.#options;
    const life = this.#life;
    const session = variant.cloudSession({
      store: variant.cloudStore(this.store),
      log,
      send: (message) => {
        if (life !== this.#life) return;
        this.#claim(connection, message);
        connection.sendDown(message);
      },
      close: () => this.leave(connection),
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
  turn(): boolean {
    const tasks = this.#tasks.splice(0);
    for (const task of tasks) task();
    if (tasks.length > 0) this.memory.look(this.store);
    return tasks.length > 0;
  }

  /** A request to the API; `accepted` once it is on disk. */
  request<T>(work: (store: CloudStore) => T, accepted: (value: T) => void): void {
    const { store } = this;
    const life = this.#life;
    store.commit.add(
      () => work(store),
      (outcome) => {
        if (life !== this.#life) return;
        if (!outcome.ok) throw outcome.error;
        accepted(outcome.value);
      },
    );
  }

  backup(): string {
    return this.#options.disk.backup();
  }

  /** The process ends; `backup`: it comes back with this copy. Every commit was synced, so power loss is no worse. */
  restart(backup?: string): void {
    const { disk, fail } = this.#options;
    this.#life++;
    this.#tasks = [];
    for (const connection of this.#connections) connection.cloud = undefined;
    this.#connections.clear();
    this.#live.clear();
    if (backup === undefined) disk.killed();
    else disk.restore(backup);
    this.store.close();
    this.#tasks = [];
    this.store = this.#open();
    if (backup !== undefined) {
      this.#claimed.clear();
      this.memory.forget();
      return;
    }
    for (const [node, { epoch, seq }] of this.#claimed) {
      const known = this.store.nodes.get(node);
      if (known === undefined) fail(`the cloud welcomed ${node} and forgot it`);
      else if (known.epoch === epoch && known.seq < seq) {
        fail(`the cloud said ack{${seq}} to ${node} and has ${known.seq}`);
      }
    }
  }

  close(): void {
    this.store.close();
  }

  #claim({ node, epoch }: Connection, message: FromCloud): void {
    if (message.type !== 'welcome' && message.type !== 'ack') return;
    this.#claimed.set(node, { epoch, seq: message.seq });
  }

  #open(): CloudStore {
    const { disk, clock, log } = this.#options;
    const soon = (task: () => void): void => void this.#tasks.push(task);
    const store = CloudStore.open({ path: disk.path, clock, log, soon });
    store.onChange(({ nodes }) => {
      for (const [node, session] of this.#live) {
        if (nodes === 'all' || nodes.has(node)) session.wantedChanged();
      }
    });
    return store;
  }
}
