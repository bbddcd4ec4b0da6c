/** The order of things: all configurations side by side, each phase for all of them before the next. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { changeAll } from '../change-all.ts';
import { Clients } from './clients.ts';
import { idle, measure, type Metrics, type Timing } from './measure.ts';
import { type ConfigurationResult, medians } from './result.ts';
import { DEVICES, Impossible, type Key, PER_DEVICE, type Subject } from './subject.ts';

export interface Plan extends Timing {
  readonly runs: number;
  readonly idleS: number;
  readonly starts: number;
}

/** One column: what it is, how it is made, and what was found of it so far. */
export interface Column {
  readonly key: Key;
  readonly title: string;
  readonly limitBytes?: number;
  readonly make: () => Promise<Subject>;
}

interface Found {
  readonly column: Column;
  subject: Subject | undefined;
  /** What went wrong, oldest first. */
  readonly faults: string[];
  /** No use in trying again. */
  out: boolean;
  impossible: boolean;
  idle: { readonly cpuPercent: number; readonly private: number } | undefined;
  readonly startsMs: number[];
  readonly runs: Metrics[];
}

export interface BenchOptions {
  readonly plan: Plan;
  readonly columns: readonly Column[];
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
  /** Called when nothing runs, before each run: makes the disk cold. */
  readonly cool: () => Promise<void>;
  /** What was found so far, after each run. */
  readonly found: (configurations: readonly ConfigurationResult[], runs: number) => Promise<void>;
}

/** How long an edge without devices may find its feet before its idle CPU counts. */
const QUIET_MS = 5000;

export class Bench {
  readonly #options: BenchOptions;
  readonly #all: readonly Found[];
  #listeners!: Clients;
  #pairs!: Clients;
  readonly #ended: Promise<never>;

  constructor(options: BenchOptions) {
    this.#options = options;
    this.#all = options.columns.map((column) => ({
      column,
      subject: undefined,
      faults: [],
      out: false,
      impossible: false,
      idle: undefined,
      startsMs: [],
      runs: [],
    }));
    this.#ended = once(options.signal, 'abort').then(() => {
      throw options.signal.reason;
    });
    this.#ended.catch(() => undefined); // whoever waits for it hears of it
  }

  /** A configuration that fails keeps what was found of it, and its faults; the others go on. */
  async run(): Promise<void> {
    const { plan, say, found } = this.#options;
    try {
      [this.#listeners, this.#pairs] = [await Clients.start(), await Clients.start()];
      say('preparing');
      await this.#each(true, async (one) => {
        one.subject = await one.column.make();
      });
      say(`without devices, ${plan.idleS} s; then with them`);
      await this.#each(true, (one) => this.#idle(one));
      await this.#starts();
      for (let run = 1; run <= plan.runs; run++) {
        await this.#options.cool();
        say(`run ${run} of ${plan.runs}: ${plan.warmUpS} s warm-up, ${plan.sampledS} s sampled`);
        await this.#each(false, (one) => this.#measure(one));
        await found(this.#results(), run);
      }
    } finally {
      await this.#close();
    }
  }

  async #idle(one: Found): Promise<void> {
    const { subject } = one;
    if (subject === undefined) return;
    const { plan, signal } = this.#options;
    await subject.start();
    if (subject.whole) {
      await sleep(QUIET_MS, undefined, { signal });
      one.idle = await idle(subject, plan.idleS, signal);
    }
    await subject.declare();
    await subject.stop();
  }

  /** One after the other: a start is short, and the others would slow it down. */
  async #starts(): Promise<void> {
    const { plan, say } = this.#options;
    say(`start to first reading, ${plan.starts} times each`);
    for (let i = 0; i < plan.starts; i++)
      for (const one of this.#all) await this.#guard(one, false, () => this.#start(one));
  }

  async #start(one: Found): Promise<void> {
    const { subject } = one;
    if (subject === undefined) return;
    const stop = changeAll(subject.registers, DEVICES, PER_DEVICE);
    try {
      const good = this.#listeners.firstGood(subject.busPort, subject.filter);
      const from = performance.timeOrigin + performance.now();
      const [at] = await Promise.all([good, subject.start()]);
      one.startsMs.push(at - from);
    } finally {
      stop();
      await subject.stop();
    }
  }

  async #measure(one: Found): Promise<void> {
    const { subject } = one;
    if (subject === undefined) return;
    const { key, busPort, filter, whole } = subject;
    const stop = changeAll(subject.registers, DEVICES, PER_DEVICE);
    try {
      subject.cgroup?.resetPeak();
      await subject.start();
      await this.#listeners.listen(key, busPort, filter);
      if (whole) await this.#pairs.pair(key, busPort);
      const around = {
        listeners: this.#listeners,
        pairs: this.#pairs,
        signal: this.#options.signal,
      };
      one.runs.push(await measure(subject, this.#options.plan, around, stop));
    } finally {
      stop();
      await this.#listeners.leave(key);
      await this.#pairs.leave(key);
      await subject.stop();
    }
  }

  async #each(needed: boolean, step: (one: Found) => Promise<void>): Promise<void> {
    await Promise.all(this.#all.map((one) => this.#guard(one, needed, () => step(one))));
  }

  /** Only an end that was asked for ends the bench. After a needed step that failed the column is left out. */
  async #guard(one: Found, needed: boolean, step: () => Promise<void>): Promise<void> {
    const { signal, say } = this.#options;
    signal.throwIfAborted();
    if (one.out) return;
    try {
      // Nothing is left running by that: an end closes every subject, and what waits for one fails.
      await (one.subject === undefined ? step() : Promise.race([step(), this.#ended]));
    } catch (error) {
      signal.throwIfAborted();
      one.impossible = error instanceof Impossible;
      one.out = needed;
      const fault = `${error instanceof Error ? error.message : String(error)}${limitsOf(one)}`;
      if (!one.faults.includes(fault)) one.faults.push(fault);
      say(`${one.column.key}${needed ? ' is left out from here' : ''}: ${fault}`);
      await one.subject?.stop();
    }
  }

  #results(): readonly ConfigurationResult[] {
    return this.#all.map(({ column, faults, impossible, idle: quiet, startsMs, runs }) => {
      const middle = medians(runs);
      return {
        key: column.key,
        title: column.title,
        ...(column.limitBytes !== undefined && { limitBytes: column.limitBytes }),
        ...(faults.length > 0 && { fault: faults.join('\n') }),
        ...(impossible && { impossible }),
        ...(quiet && { idle: quiet }),
        startsMs,
        runs,
        ...(middle && { medians: middle }),
      };
    });
  }

  async #close(): Promise<void> {
    await Promise.allSettled([this.#listeners?.close(), this.#pairs?.close()]);
    const closed = await Promise.allSettled(this.#all.map(async ({ subject }) => subject?.close()));
    for (const one of closed)
      if (one.status === 'rejected') this.#options.say(`not cleaned up: ${String(one.reason)}`);
  }
}

function limitsOf({ column, subject }: Found): string {
  const read = subject?.cgroup?.read();
  return read === undefined || column.limitBytes === undefined
    ? ''
    : ` (limit reached ${read.failures} times, OOM kills ${read.oomKills})`;
}
