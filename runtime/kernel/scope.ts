/**
 * A lifetime: whatever was opened in it is closed with it, last opened first. `signal` aborts before the
 * first closer runs, so that work under way can stop by itself.
 */
export type Closer = () => void | Promise<void>;

export class Scope {
  readonly #abort = new AbortController();
  readonly #closers = new Map<symbol, Closer>();
  #closing: Promise<void> | undefined;
  #closed = false;

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /**
   * Registers what to run at the end; the returned function takes it back (already closed on its own).
   * While the scope is closing it is still run; afterwards this throws, and the caller closes what it holds.
   */
  add(closer: Closer): () => void {
    if (this.#closed) throw new Error('this scope is closed: nothing can be opened in it any more');
    const key = Symbol('closer');
    this.#closers.set(key, closer);
    return () => void this.#closers.delete(key);
  }

  /** A lifetime within this one: it may end earlier, never later. */
  child(): Scope {
    const child = new Scope();
    const forget = this.add(() => child.close(this.signal.reason));
    child.add(forget);
    return child;
  }

  /**
   * Runs the closers one after the other; a second call waits for the same end.
   * @throws AggregateError of everything that closers threw, once all of them have run
   */
  close(reason: unknown = new Error('closed')): Promise<void> {
    this.#closing ??= this.#run(reason);
    return this.#closing;
  }

  async #run(reason: unknown): Promise<void> {
    this.#abort.abort(reason);
    const errors: unknown[] = [];
    for (;;) {
      const last = [...this.#closers].at(-1);
      if (last === undefined) break;
      this.#closers.delete(last[0]);
      try {
        await last[1]();
      } catch (error) {
        errors.push(error);
      }
    }
    this.#closed = true;
    if (errors.length > 0) throw new AggregateError(errors, `${errors.length} closers failed`);
  }
}
