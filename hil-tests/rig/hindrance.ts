/**
 * How long this machine kept processes from running that could run, and when: what a busy machine does to a measurement,
 * and what is done in these processes does not. Linux only.
 */
import { readFileSync } from 'node:fs';

const TICK_MS = 50;
/** The last minute. */
const MAX_TICKS = 1_200;

interface Tick {
  /** Wall clock. */
  readonly from: number;
  readonly to: number;
  /** By process; that of this one, which is there to answer, is how late it was. */
  readonly waitedMs: ReadonlyMap<number, number>;
}

export class Hindrance {
  readonly #pids: () => readonly number[];
  readonly #timer = setInterval(() => this.#look(), TICK_MS);
  #before = new Map<number, number>();
  #ticks: Tick[] = [];

  /** `pids`: the processes watched beside this one; they may change. */
  constructor(pids: () => readonly number[]) {
    this.#pids = pids;
  }

  /** How long these processes waited, together, from one moment to another: a reading goes through them in turn. */
  between(from: number, to: number, pids: readonly number[]): number {
    let waited = 0;
    for (const tick of this.#ticks) {
      if (tick.to < from || tick.from > to) continue;
      for (const pid of [process.pid, ...pids]) waited += tick.waitedMs.get(pid) ?? 0;
    }
    return waited;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const to = Date.now();
    const from = this.#ticks.at(-1)?.to ?? to - TICK_MS;
    const now = new Map(this.#pids().map((pid) => [pid, waitedMs(pid)]));
    const waited = new Map([[process.pid, Math.max(0, to - from - TICK_MS)]]);
    for (const [pid, ms] of now) waited.set(pid, ms - (this.#before.get(pid) ?? ms));
    this.#before = now;
    this.#ticks = [...this.#ticks, { from, to, waitedMs: waited }].slice(-MAX_TICKS);
  }
}

/** How long its main thread waited for a processor since it started. */
function waitedMs(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return 0; // it is gone
  }
}
