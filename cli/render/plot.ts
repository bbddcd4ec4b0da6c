/** A plot of a property over time in characters: per column a band from minimum to maximum, and the mean. Pure. */

export interface PlotBucket {
  /** ms since 1970. */
  readonly from: number;
  readonly min?: number;
  readonly max?: number;
  readonly mean?: number;
  readonly heldMs: number;
}

/** Times in ms since 1970; of a gap that goes on, `to` is the end of the plot. */
export interface Plotted {
  readonly from: number;
  readonly to: number;
  readonly bucketMs: number;
  /** Oldest first; those in which nothing held are left out. */
  readonly buckets: readonly PlotBucket[];
  readonly gaps: readonly { readonly from: number; readonly to: number }[];
}

interface Column {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
}

const ROWS = 10;
/** Where in a cell the mean lies, from below. */
const MEAN = ['▁', '─', '▔'];
const BAND = '░';
const GAP = '×';
const NARROWEST = 40;
const WIDEST = 160;
/** What a scale takes at most. */
const SCALE = 14;

/** Columns of a plot on a terminal of a width. */
export function plotColumns(terminal: number | undefined): number {
  return Math.max(NARROWEST, Math.min(terminal ?? 80, WIDEST) - SCALE);
}

/** Lines with a scale at their left, and below them gaps and time; none when there was no number. */
export function plotLines(plotted: Plotted, columns: number): string[] {
  const { from, to, bucketMs } = plotted;
  const count = Math.max(1, Math.ceil((to - from) / bucketMs));
  // Buckets share a column, or each has some of them.
  const wide = count > columns ? 1 : Math.floor(columns / count);
  const msPerColumn = (bucketMs * Math.ceil(count / columns)) / wide;
  const drawn = Math.ceil((to - from) / msPerColumn);
  const cells = columnsOf(plotted, msPerColumn, drawn);
  const known = cells.filter((each) => each !== undefined);
  if (known.length === 0) return [];
  const least = Math.min(...known.map(({ min }) => min));
  const most = Math.max(...known.map(({ max }) => max));
  const labels = Array.from({ length: ROWS }, (_, row) => labelOf(row, least, most));
  const left = Math.max(...labels.map((text) => text.length));
  const rows = labels.map((text, row) => {
    const line = cells.map((each) => cellOf(each, { least, most, row: ROWS - 1 - row }));
    return `${text.padStart(left)} ┤${line.join('')}`.trimEnd();
  });
  const pad = ' '.repeat(left + 2);
  const axis = axisOf(plotted, msPerColumn, drawn);
  return [...rows, `${' '.repeat(left)} └${axis}`, pad + timesOf(from, to, drawn)];
}

function columnsOf(
  { from, bucketMs, buckets }: Plotted,
  msPerColumn: number,
  drawn: number,
): (Column | undefined)[] {
  const shares: PlotBucket[][] = Array.from({ length: drawn }, () => []);
  for (const bucket of buckets) {
    const first = Math.floor((bucket.from - from) / msPerColumn);
    const end = Math.max(first + 1, Math.round((bucket.from + bucketMs - from) / msPerColumn));
    for (let at = Math.max(0, first); at < Math.min(end, drawn); at++) shares[at]?.push(bucket);
  }
  return shares.map((share) => sumOf(share));
}

/** Minimum, maximum, and the mean weighted by how long each held; undefined where there is no number. */
export function sumOf(buckets: readonly PlotBucket[]): Column | undefined {
  let [min, max, weighted, ms, plain, count] = [Infinity, -Infinity, 0, 0, 0, 0];
  for (const bucket of buckets) {
    if (bucket.mean === undefined) continue;
    min = Math.min(min, bucket.min ?? bucket.mean);
    max = Math.max(max, bucket.max ?? bucket.mean);
    weighted += bucket.mean * bucket.heldMs;
    ms += bucket.heldMs;
    plain += bucket.mean;
    count++;
  }
  if (count === 0) return undefined;
  return { min, max, mean: ms > 0 ? weighted / ms : plain / count };
}

function cellOf(
  column: Column | undefined,
  { least, most, row }: { readonly least: number; readonly most: number; readonly row: number },
): string {
  if (column === undefined) return ' ';
  const steps = ROWS * MEAN.length - 1;
  const step = (value: number): number =>
    most === least ? 0 : Math.round(((value - least) / (most - least)) * steps);
  const mean = step(column.mean) - row * MEAN.length;
  if (mean >= 0 && mean < MEAN.length) return MEAN[mean] ?? ' ';
  const rowOf = (value: number): number => Math.floor(step(value) / MEAN.length);
  return row >= rowOf(column.min) && row <= rowOf(column.max) ? BAND : ' ';
}

/** Marks each column into which a gap reaches. */
function axisOf({ from, gaps }: Plotted, msPerColumn: number, drawn: number): string {
  const marks = Array.from({ length: drawn }, () => '─');
  for (const gap of gaps) {
    const first = Math.max(0, Math.floor((gap.from - from) / msPerColumn));
    const end = Math.max(first + 1, Math.ceil((gap.to - from) / msPerColumn));
    for (let at = first; at < Math.min(end, drawn); at++) marks[at] = GAP;
  }
  return marks.join('');
}

function timesOf(from: number, to: number, drawn: number): string {
  const [begin, end] = [timeText(from), timeText(to)];
  return `${begin}${end.padStart(Math.max(drawn - begin.length, end.length + 2))}`;
}

/** To the second, without what a plot cannot show: `2026-11-22 10:00Z`. */
export function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ').replace(/:00$/, '')}Z`;
}

function labelOf(row: number, least: number, most: number): string {
  if (row === 0) return number(most);
  if (row === ROWS - 1) return most === least ? '' : number(least);
  return '';
}

function number(value: number): string {
  return String(Number(value.toPrecision(5)));
}
