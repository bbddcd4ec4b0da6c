/** A small plot of a property over time, in block characters. Pure; holds one number per column. */

export interface PlotSpan {
  /** ms since 1970. */
  readonly from: number;
  readonly to: number;
  readonly columns: number;
}

const BLOCKS = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const GAP = '·';
const ROWS = 6;

export class Plot {
  readonly #span: PlotSpan;
  /** Per column: the last value in it; NaN where a gap is; undefined where the one before still holds. */
  readonly #columns: (number | undefined)[];

  constructor(span: PlotSpan) {
    this.#span = span;
    this.#columns = Array.from({ length: span.columns });
  }

  add(at: number, value: number): void {
    const column = this.#column(at);
    if (column >= 0 && column < this.#columns.length) this.#columns[column] = value;
  }

  /** Marks the columns that lie wholly in a gap; call it after the samples. */
  gap(from: number, to: number): void {
    for (let column = Math.max(0, this.#column(from)); column <= this.#column(to); column++) {
      if (column < this.#columns.length) this.#columns[column] ??= Number.NaN;
    }
  }

  /** Lines with a scale at their left; none when there was no number. */
  lines(): string[] {
    const values = this.#steps();
    const numbers = values.filter((value) => value !== undefined && !Number.isNaN(value));
    if (numbers.length === 0) return [];
    const least = Math.min(...(numbers as number[]));
    const most = Math.max(...(numbers as number[]));
    const scale = [label(most), ...Array.from({ length: ROWS - 2 }, () => ''), label(least)];
    const wide = Math.max(...scale.map((text) => text.length));
    return scale.map((text, index) => {
      const below = (ROWS - 1 - index) * (BLOCKS.length - 1);
      const cells = values.map((value) => cell(value, { least, most, below }));
      return `${text.padStart(wide)} ┤${cells.join('')}`.trimEnd();
    });
  }

  /** A value holds until the next one. */
  #steps(): readonly (number | undefined)[] {
    let last: number | undefined;
    return this.#columns.map((value) => (last = value ?? last));
  }

  #column(at: number): number {
    const { from, to, columns } = this.#span;
    return Math.floor(((at - from) / Math.max(1, to - from)) * columns);
  }
}

function cell(
  value: number | undefined,
  { least, most, below }: { readonly least: number; readonly most: number; readonly below: number },
): string {
  if (value === undefined) return ' ';
  if (Number.isNaN(value)) return below === 0 ? GAP : ' ';
  const steps = ROWS * (BLOCKS.length - 1);
  // The least value is still one step high, so that it differs from nothing.
  const height =
    most === least ? 1 : 1 + Math.round(((value - least) / (most - least)) * (steps - 1));
  return BLOCKS[Math.max(0, Math.min(BLOCKS.length - 1, height - below))] ?? ' ';
}

function label(value: number): string {
  return String(Number(value.toPrecision(5)));
}
