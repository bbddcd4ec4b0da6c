/**
 * What many ask of the same state is read once: a thousand watches that hear of one commit all want what came with it.
 * Nothing is kept over a commit, nor for longer than it takes those many to ask.
 */
export class SharedReads<T> {
  readonly #reads = new Map<string, Promise<T>>();
  #timer: NodeJS.Timeout | undefined;

  /** `onChange` tells of each commit before anybody asks what came with it. */
  constructor(onChange: (listener: () => void) => void) {
    onChange(() => this.#forget());
  }

  read(key: string, read: () => Promise<T>): Promise<T> {
    const known = this.#reads.get(key);
    if (known !== undefined) return known;
    if (this.#reads.size >= MAX_READS) this.#forget();
    const made = read();
    this.#reads.set(key, made);
    made.catch(() => {
      if (this.#reads.get(key) === made) this.#reads.delete(key);
    });
    this.#timer ??= setTimeout(() => this.#forget(), KEPT_MS).unref();
    return made;
  }

  #forget(): void {
    this.#reads.clear();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** Whoever asks for something else then reads by itself. */
const MAX_READS = 32;
const KEPT_MS = 100;
