/** Lines redrawn in place on a terminal. */

export interface Screen {
  write(text: string): void;
  readonly columns: number;
  readonly rows: number;
}

/** Draws over what it drew before; never more lines than the terminal has, for those could not be taken back. */
export class Live {
  readonly #screen: Screen;
  #drawn = 0;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  get columns(): number {
    return this.#screen.columns;
  }

  draw(lines: readonly string[]): void {
    const room = Math.max(1, this.#screen.rows - 1);
    const shown =
      lines.length <= room
        ? lines
        : [
            ...lines.slice(0, room - 1),
            `… ${lines.length - room + 1} more lines: make the window taller`,
          ];
    const up = this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A`;
    // Each line is cleared to its end only, and what is below at last: the picture never flickers.
    this.#screen.write(`${up}${shown.map((line) => `\r${line}\u001b[K\n`).join('')}\u001b[J`);
    this.#drawn = shown.length;
  }
}

/** Standard output as a screen. */
export function terminalScreen(stream: NodeJS.WriteStream): Screen {
  return {
    write: (text) => void stream.write(text),
    get columns() {
      return stream.columns || 80;
    },
    get rows() {
      return stream.rows || 24;
    },
  };
}
