/**
 * Runs what rollouts are under way: each takes one step after the other until it has to wait for a device, for time or for
 * somebody. All it knows is in the database; what it keeps itself is only when to look again.
 */
import type { Clock, Log } from '@limpet/dmi';
import type { CloudStore } from '../store/store.ts';
import type { Held } from '../store/rollouts.ts';
import type { Changed } from '../store/touched.ts';
import { type Done, standing, step } from './carry-out.ts';
import { type Language, nextDevices, writeDown } from './choose.ts';
import { type Move, next } from './plan.ts';
import { situationOf } from './situation.ts';

export interface RunnerOptions {
  readonly store: CloudStore;
  readonly language: Language;
  readonly clock: Pick<Clock, 'after'>;
  readonly log: Log;
}

/** Between two looks at one rollout, and as much for each device under way: what edges say comes in pieces. */
const PAUSE_MS = 100;
const PAUSE_PER_DEVICE_MS = 1;
/** After something went wrong. */
const RETRY_MS = 2_000;
/** A look that nothing asked for, however far the next time-out: clocks are set, and jump. */
const LONGEST_MS = 60_000;
/** Devices of a deleted rollout that are removed in one transaction. */
const REMOVED_AT_ONCE = 1_000;

export class RolloutRunner {
  readonly #options: RunnerOptions;
  /** When this run of the service began, ms since 1970. */
  readonly #began: number;
  /** `again`: something changed while it ran. */
  readonly #states = new Map<number, 'running' | 'again'>();
  readonly #timers = new Map<number, () => void>();
  /** Those whose timer stands for a change. */
  readonly #soon = new Set<number>();
  /** Devices under way, by rollout: at most a batch each. */
  readonly #flying = new Map<number, ReadonlySet<string>>();
  readonly #failing = new Set<number>();
  #stop: (() => void) | undefined;
  readonly #work = new Set<Promise<unknown>>();

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#began = options.store.now();
  }

  /** Takes up whatever is under way. */
  async start(): Promise<void> {
    const { store } = this.#options;
    this.#stop = store.onChange((changed) => this.#changed(changed));
    await this.#lookForAll();
  }

  /** Resolves when nothing of it runs any more. */
  async close(): Promise<void> {
    this.#stop?.();
    this.#stop = undefined;
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    await Promise.all(this.#work);
  }

  #changed({ resources }: Changed): void {
    if (resources.some(({ kind }) => kind === 'Rollout')) {
      this.#track(this.#lookForAll());
    }
    if (this.#flying.size === 0) return;
    const devices = resources.filter(({ kind }) => kind === 'Device');
    for (const [n, flying] of this.#flying) {
      if (devices.some(({ id }) => flying.has(id))) this.#wakeSoon(n, flying.size);
    }
  }

  async #lookForAll(): Promise<void> {
    const { store, log } = this.#options;
    try {
      const active = await store.read(({ rollouts }) => rollouts.active());
      for (const n of active) this.#wake(n);
    } catch (error) {
      log.warn('rollouts not looked for', { reason: String(error) });
      this.#later(0, RETRY_MS, () => this.#track(this.#lookForAll()));
    }
  }

  #wake(n: number): void {
    if (this.#stop === undefined) return;
    this.#cancel(n);
    if (this.#states.has(n)) {
      this.#states.set(n, 'again');
      return;
    }
    this.#states.set(n, 'running');
    this.#track(this.#run(n));
  }

  #wakeSoon(n: number, devices: number): void {
    if (this.#states.has(n)) this.#states.set(n, 'again');
    else if (!this.#soon.has(n)) {
      this.#later(n, PAUSE_MS + devices * PAUSE_PER_DEVICE_MS, () => this.#wake(n));
      this.#soon.add(n);
    }
  }

  #cancel(n: number): void {
    this.#timers.get(n)?.();
    this.#timers.delete(n);
    this.#soon.delete(n);
  }

  #later(n: number, ms: number, task: () => void): void {
    this.#cancel(n);
    const cancel = this.#options.clock.after(ms, () => {
      this.#timers.delete(n);
      this.#soon.delete(n);
      if (this.#stop !== undefined) task();
    });
    this.#timers.set(n, cancel);
  }

  #track(work: Promise<unknown>): void {
    const ended = work.finally(() => this.#work.delete(ended));
    this.#work.add(ended);
  }

  async #run(n: number): Promise<void> {
    const { log } = this.#options;
    let pause: number | undefined;
    try {
      do {
        this.#states.set(n, 'running');
        pause = await this.#turns(n);
      } while (this.#states.get(n) === 'again' && this.#stop !== undefined);
      if (this.#failing.delete(n)) log.info('rollout goes on', { n });
    } catch (error) {
      if (!this.#failing.has(n)) log.error('rollout stuck', { n, reason: String(error) });
      this.#failing.add(n);
      pause = RETRY_MS;
    }
    this.#states.delete(n);
    if (pause !== undefined && this.#stop !== undefined) {
      this.#later(n, Math.min(pause, LONGEST_MS), () => this.#wake(n));
    }
  }

  /** Steps until it has to wait. Resolves with how long; undefined: until something changes. */
  async #turns(n: number): Promise<number | undefined> {
    const { store } = this.#options;
    while (this.#stop !== undefined) {
      const seen = await this.#look(n);
      if (seen === undefined) return this.#remove(n);
      const { held, move } = seen;
      if (move.do === 'wait') {
        if (move.until === undefined) return undefined;
        return Math.max(PAUSE_MS, move.until - store.now());
      }
      if (move.do === 'choose') await this.#choose(held);
      else {
        const done = await store.commit.run((tx) => step(tx, n, this.#began));
        if (done) this.#tell(held, done);
        if (done?.move.do === 'rest') {
          this.#flying.delete(n);
          return undefined;
        }
      }
    }
    return undefined;
  }

  /** What is next, from what is committed: most looks find nothing to do, and keep nobody from writing. */
  #look(n: number): Promise<{ readonly held: Held; readonly move: Move } | undefined> {
    const { store } = this.#options;
    return store.read(async (tables) => {
      const held = await tables.rollouts.get(n);
      if (held === undefined || !(await standing(tables, held))) return undefined;
      const situation = await situationOf(tables, held, { now: store.now(), began: this.#began });
      this.#flying.set(n, new Set(situation.devices));
      return { held, move: next(situation) };
    });
  }

  async #choose(held: Held): Promise<void> {
    const { store, language } = this.#options;
    const ids = await store.read((reading) => nextDevices(language, reading, held));
    await store.commit.run((tx) => writeDown(tx, held, ids));
  }

  /** What is left of a rollout whose object is gone. */
  async #remove(n: number): Promise<undefined> {
    const { store } = this.#options;
    this.#flying.delete(n);
    let removed: number;
    do {
      removed = await store.commit.run(({ rollouts }) => rollouts.clear(n, REMOVED_AT_ONCE));
    } while (removed > 0 && this.#stop !== undefined);
    if (removed === 0) await store.commit.run(({ rollouts }) => rollouts.drop(n));
    return undefined;
  }

  #tell({ id, progress: { phase: before } }: Held, { held: { progress } }: Done): void {
    const { phase, counts, reason } = progress;
    if (phase === before) return;
    const { log } = this.#options;
    const fields = {
      rollout: id,
      phase,
      total: counts.total,
      ...(reason && { code: reason.code }),
    };
    if (phase === 'Stopped' || phase === 'Failed') log.warn('rollout stopped', fields);
    else log.info('rollout moved on', fields);
  }
}
