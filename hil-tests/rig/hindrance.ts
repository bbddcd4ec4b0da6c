/**
 * How long this machine kept processes from running that could run: what a busy machine does to a measurement, and what
 * is done in these processes does not. Linux only.
 */
import { readFileSync } from 'node:fs';

const TICK_MS = 50;
/** Waits add up in a window: one reading waits several times, in several processes. */
const WINDOW_TICKS = 8;

export class Hindrance {
  readonly #pids: () => readonly number[];
  readonly #timer = setInterval(() => this.#look(), TICK_MS);
  #before = new Map<number, number>();
  #window: number[] = [];
  #at = performance.now();
  #worstMs = 0;

  /** `pids`: those on whom it depends; they may change. */
  constructor(pids: () => readonly number[]) {
    this.#pids = pids;
  }

  /** Most that they waited together in a window of 0.4 s, since the mark. */
  get worstMs(): number {
    return this.#worstMs;
  }

  mark(): void {
    this.#window = [];
    this.#worstMs = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = new Map(this.#pids().map((pid) => [pid, waitedMs(pid)]));
    let waited = Math.max(0, performance.now() - this.#at - TICK_MS);
    this.#at = performance.now();
    for (const [pid, ms] of now) waited += ms - (this.#before.get(pid) ?? ms);
    this.#before = now;
    this.#window = [...this.#window, waited].slice(-WINDOW_TICKS);
    this.#worstMs = Math.max(this.#worstMs, sum(this.#window));
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

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
