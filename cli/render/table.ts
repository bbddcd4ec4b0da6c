/** Tables of text: columns as wide as their widest cell, colour by tone, nothing else. */

export type Tone = 'plain' | 'good' | 'warn' | 'bad' | 'dim';

export interface Cell {
  readonly text: string;
  readonly tone: Tone;
}

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

const GAP = '   ';
const COLOURS: Readonly<Record<Tone, string>> = {
  plain: '',
  good: '\u001b[32m',
  warn: '\u001b[33m',
  bad: '\u001b[31m',
  dim: '\u001b[2m',
};
const RESET = '\u001b[0m';

export function cell(text: string, tone: Tone = 'plain'): Cell {
  return { text, tone };
}

/** The table as lines, at most `columns` wide; `widths` keeps columns in place when rows are appended later. */
export function layOut(
  table: Table,
  options: {
    readonly colour: boolean;
    readonly columns?: number;
    readonly widths?: readonly number[];
    readonly headless?: boolean;
  },
): string[] {
  const widths = options.widths ?? widthsOf(table);
  const limit = options.columns ?? Number.POSITIVE_INFINITY;
  const head = table.head.map((title) => cell(title));
  const rows = options.headless === true ? table.rows : [head, ...table.rows];
  return rows.map((row) => line(row, widths, { limit, colour: options.colour }));
}

/** How wide each column must be, in characters. */
export function widthsOf({ head, rows }: Table): number[] {
  return head.map((title, index) => {
    return rows.reduce((most, row) => Math.max(most, width(row[index]?.text ?? '')), width(title));
  });
}

function line(
  row: readonly Cell[],
  widths: readonly number[],
  { limit, colour }: { readonly limit: number; readonly colour: boolean },
): string {
  let used = 0;
  let text = '';
  for (const [index, { text: words, tone }] of row.entries()) {
    const last = index === row.length - 1;
    const padded = last
      ? words
      : words + ' '.repeat(Math.max(0, (widths[index] ?? 0) - width(words)));
    const shown = clip(clean(padded), limit - used);
    used += width(shown) + GAP.length;
    text += toned(shown, tone, colour);
    if (used >= limit) break;
    if (!last) text += GAP;
  }
  return text.trimEnd();
}

/** What came from a device or a manifest must not steer the terminal. */
export function clean(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what this is about
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '\u00b7');
}

/** The text in the colour of its tone. */
export function toned(text: string, tone: Tone, colour: boolean): string {
  return colour && tone !== 'plain' ? `${COLOURS[tone]}${text}${RESET}` : text;
}

function clip(text: string, limit: number): string {
  const letters = Array.from(text);
  if (letters.length <= limit) return text;
  return limit < 1 ? '' : `${letters.slice(0, limit - 1).join('')}…`;
}

function width(text: string): number {
  return Array.from(text).length;
}
