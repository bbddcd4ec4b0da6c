/** A machine's clock in the simulation: time passes when told to, and the wall may be set. */
import type { Clock } from '@limpet/dmi';

export class SimClock implements Clock {
  #wall: number;
  #elapsed = 0;
  #tasks: { readonly at: number; readonly task: () => void }[] = [];
  /** How often the wall clock was set back. */
  setBack = 0;

  constructor(wall: number) {
    this.#wall = wall;
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  sleep(): Promise<void> {
    return Promise.reject(new Error('nothing sleeps in the simulation'));
  }

  after(ms: number, task: () => void): () => void {
    const entry = { at: this.#elapsed + ms, task };
    this.#tasks.push(entry);
    return () => void (this.#tasks = this.#tasks.filter((other) => other !== entry));
  }

  advance(ms: number): void {
    const end = this.#elapsed + ms;
    for (;;) {
      const [due] = this.#tasks.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at);
      if (due === undefined) break;
      this.#tasks = this.#tasks.filter((other) => other !== due);
      this.#pass(due.at - this.#elapsed);
      due.task();
    }
    this.#pass(end - this.#elapsed);
  }

  /** Somebody, or NTP, sets the clock. */
  set(byMs: number): void {
    this.#wall += Math.round(byMs);
    if (byMs < 0) this.setBack++;
  }

  /** The machine is switched off: what waited for its turn never gets it. */
  forget(): void {
    this.#tasks = [];
  }

  #pass(ms: number): void {
    this.#wall += ms;
    this.#elapsed += ms;
  }
}
