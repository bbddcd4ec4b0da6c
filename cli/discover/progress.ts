/** One line of progress on a terminal, which what is printed pushes down; nothing where nobody sees it. */
import type { Writable } from 'node:stream';

const EVERY_MS = 500;

export class Progress {
  readonly #out: Writable & { readonly isTTY?: boolean };
  readonly #text: () => string;
  readonly #timer: NodeJS.Timeout | undefined;
  #shown = false;

  constructor(out: Writable & { readonly isTTY?: boolean }, text: () => string) {
    this.#out = out;
    this.#text = text;
    if (out.isTTY === true) this.#timer = setInterval(() => this.#show(), EVERY_MS).unref();
  }

  /** Before anything else is printed. */
  clear(): void {
    if (this.#shown) this.#out.write('\r\u001B[K');
    this.#shown = false;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.clear();
  }

  #show(): void {
    this.clear();
    this.#out.write(this.#text());
    this.#shown = true;
  }
}
