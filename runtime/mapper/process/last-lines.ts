/** The last lines that a program printed (pure): so many, each of a bounded length, whatever it prints. */
const MAX_LINES = 20;
const MAX_LINE = 500;

export class LastLines {
  readonly #lines: string[] = [];
  readonly #told: (line: string) => void;
  #begun = '';

  /** `told` is given each line as it is finished. */
  constructor(told: (line: string) => void) {
    this.#told = told;
  }

  /** The last lines, also one that is not finished. */
  get lines(): readonly string[] {
    const lines = this.#begun === '' ? this.#lines : [...this.#lines, this.#begun];
    return lines.slice(-MAX_LINES);
  }

  push(text: string): void {
    const pieces = text.split('\n');
    const last = pieces.pop() ?? '';
    for (const piece of pieces) {
      this.#finish(this.#begun + piece);
      this.#begun = '';
    }
    if (this.#begun.length < MAX_LINE) this.#begun = clip(this.#begun + last);
  }

  #finish(text: string): void {
    const line = clip(text).trimEnd();
    if (line === '') return;
    this.#lines.push(line);
    if (this.#lines.length > MAX_LINES) this.#lines.shift();
    this.#told(line);
  }
}

function clip(text: string): string {
  return text.length > MAX_LINE ? `${text.slice(0, MAX_LINE)}…` : text;
}
