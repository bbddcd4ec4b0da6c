/** A property's past as lines for people. Pure. */
import { formatDuration } from '@limpet/dmi/manifest';
import { plotLines, timeText } from '../render/plot.ts';
import { type Cell, cell, layOut } from '../render/table.ts';
import { ageText, valueText } from '../render/words.ts';
import type { Change, Gap, Past, Summary } from './past.ts';

export interface Look {
  readonly columns: number;
  readonly colour: boolean;
}

/** Of changes and gaps, the newest are listed. */
const LISTED = 40;
/** Why nothing is known of a time. */
const CAUSES: Readonly<Record<string, string>> = {
  unseen: 'the node was away from the cloud, which alone records this',
  away: 'the device did not answer',
  down: 'the edge was not running',
  off: 'history was switched off',
  dropped: 'the edge made room before it was told',
  damaged: 'the file at the edge was damaged',
  stale: 'the value was old: nobody heard of the device',
  bad: 'the device gave no good value',
};

export function plotted(past: Past, { columns }: Look): string[] {
  const gaps = past.gaps.map(({ from, to }) => {
    return { from: Date.parse(from), to: to === undefined ? past.to : Date.parse(to) };
  });
  const buckets = past.buckets.map((bucket) => ({ ...bucket, from: Date.parse(bucket.from) }));
  return plotLines({ ...past, buckets, gaps }, columns);
}

export function bucketTable({ buckets, bucketMs }: Past, { colour }: Look): string[] {
  const head = ['FROM', 'MIN', 'MEAN', 'MAX', 'LAST', 'COUNT', 'KNOWN'];
  const rows = buckets.map(({ from, min, mean, max, last, count, heldMs }) => {
    const values = [min, mean, max, last].map((value) => cell(valueText(value)));
    return [
      cell(timeText(Date.parse(from))),
      ...values,
      cell(String(count)),
      share(heldMs / bucketMs),
    ];
  });
  return layOut({ head, rows }, { colour });
}

export function changeTable(changes: readonly Change[], { colour }: Look): string[] {
  const rows = changes.slice(-LISTED).map(({ at, value, quality, heldMs }) => {
    const tone = quality === 'good' ? 'plain' : 'warn';
    return [cell(at), cell(ageText(heldMs)), cell(quality, tone), cell(valueText(value))];
  });
  if (rows.length === 0) return [];
  return [
    ...before(changes.length, 'change'),
    ...layOut({ head: ['FROM', 'FOR', 'QUALITY', 'VALUE'], rows }, { colour }),
  ];
}

/** None without gaps. */
export function gapTable(gaps: readonly Gap[], now: number, { colour }: Look): string[] {
  if (gaps.length === 0) return [];
  const rows = gaps.slice(-LISTED).map(({ cause, from, to }) => {
    const long = ageText((to === undefined ? now : Date.parse(to)) - Date.parse(from));
    const length = to === undefined ? `${long}, goes on` : long;
    const why = Object.hasOwn(CAUSES, cause) ? `${cause}: ${CAUSES[cause]}` : cause;
    return [cell(from), cell(length), cell(why)];
  });
  const lines = layOut({ head: ['GAP FROM', 'LENGTH', 'CAUSE'], rows }, { colour });
  return ['', ...before(gaps.length, 'gap'), ...lines];
}

export function summaryLine(summary: Summary, bucketMs: number, unit = ''): string {
  const { min, mean, max, last, count, known } = summary;
  const numbers =
    min === undefined || typeof last !== 'number'
      ? []
      : ([
          ['min', min],
          ['mean', mean],
          ['max', max],
        ] as const);
  const values = [...numbers, ...(last === undefined ? [] : ([['last', last]] as const))];
  return [
    ...values.map(([word, value]) => `${word} ${valueText(value)}${unit && ` ${unit}`}`),
    `${count} sample${count === 1 ? '' : 's'}`,
    `known ${share(known).text} of the time`,
    ...(numbers.length === 0 ? [] : [`bucket ${formatDuration(bucketMs)}`]),
  ].join(', ');
}

/** Never rounded to all, nor to nothing. */
function share(part: number): Cell {
  const percent = part * 100;
  if (percent > 0 && percent < 0.1) return cell('<0.1%');
  return cell(`${Math.floor(percent * 10) / 10}%`);
}

function before(count: number, word: string): string[] {
  return count > LISTED ? [`… ${count - LISTED} ${word}s before`] : [];
}
