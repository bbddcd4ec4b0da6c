/** How long something took: a histogram with fixed bounds, as Prometheus has them. */

/** Upper bounds in ms. */
export const BOUNDS_MS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 5_000];

export class Durations {
  readonly #counts = new Float64Array(BOUNDS_MS.length + 1);
  #sumMs = 0;

  add(ms: number): void {
    const at = BOUNDS_MS.findIndex((bound) => ms <= bound);
    const index = at < 0 ? BOUNDS_MS.length : at;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#sumMs += ms;
  }

  /** How many took up to each bound, how many there were, and how long all took. */
  look(): { readonly upTo: readonly number[]; readonly count: number; readonly sumMs: number } {
    let count = 0;
    const all = Array.from(this.#counts, (each) => (count += each));
    return { upTo: all.slice(0, -1), count, sumMs: this.#sumMs };
  }
}
