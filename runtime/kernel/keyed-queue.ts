/**
 * Work by key: a key that is queued twice before its turn runs once, with the latest value; one run per key at
 * a time. At most one value waits for each key, so the queue is as large as there are keys, never larger.
 */
export interface KeyedQueueOptions<V> {
  readonly run: (key: string, value: V, signal: AbortSignal) => Promise<void>;
  /** Told when a run failed, unless the queue was aborted; the queue goes on. */
  readonly failed: (key: string, error: unknown) => void;
  /** Ends the queue: what waits is forgotten, what runs sees it, what is put later is ignored. */
  readonly signal: AbortSignal;
}

export class KeyedQueue<V> {
  readonly #options: KeyedQueueOptions<V>;
  readonly #waiting = new Map<string, V>();
  readonly #running = new Map<string, Promise<void>>();

  constructor(options: KeyedQueueOptions<V>) {
    this.#options = options;
    options.signal.addEventListener('abort', () => this.#waiting.clear(), { once: true });
  }

  /** Keys that wait or run. */
  get size(): number {
    return new Set([...this.#waiting.keys(), ...this.#running.keys()]).size;
  }

  put(key: string, value: V): void {
    if (this.#options.signal.aborted) return;
    this.#waiting.set(key, value);
    if (!this.#running.has(key)) this.#running.set(key, this.#drain(key));
  }

  /** Resolves once nothing waits and nothing runs. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  async #drain(key: string): Promise<void> {
    // A later turn, so that values put in one go count as one.
    await Promise.resolve();
    for (;;) {
      if (!this.#waiting.has(key)) break;
      const value = this.#waiting.get(key) as V;
      this.#waiting.delete(key);
      try {
        await this.#options.run(key, value, this.#options.signal);
      } catch (error) {
        if (!this.#options.signal.aborted) this.#options.failed(key, error);
      }
    }
    this.#running.delete(key);
  }
}
