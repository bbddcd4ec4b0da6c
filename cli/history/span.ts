/** Which time is asked about, and in buckets of how long. Pure. */
import { duration, formatDuration } from '@limpet/dmi/manifest';
import { usage } from '../cli-error.ts';

/** Times in ms since 1970. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface SpanOptions {
  readonly since?: string;
  readonly from?: string;
  readonly to?: string;
}

const DAY_MS = 86_400_000;
const MOST_BUCKETS = 50_000;
const ROUND = '1s 2s 5s 10s 15s 30s 1m 2m 5m 10m 15m 30m 1h 2h 3h 6h 12h 1d 2d 7d 14d 28d';

/** @throws CliError USAGE */
export function spanOf({ since, from, to }: SpanOptions, now: number): Span {
  if (since !== undefined && from !== undefined) {
    throw usage('--since and --from both say where to begin: give one.');
  }
  const end = to === undefined ? now : timeOf('--to', to);
  const begin =
    from === undefined ? end - lengthOf('--since', since ?? '1d') : timeOf('--from', from);
  if (begin < end) return { from: begin, to: end };
  throw usage(`--from must be before ${to === undefined ? 'now' : '--to'}.`);
}

/** The shortest round time of which no more than so many make up the span; or what was asked for. @throws CliError USAGE */
export function bucketOf(asked: string, { from, to }: Span, columns: number): number {
  const fits = (ms: number, count: number): boolean => (to - from) / ms + 1 <= count;
  const round = (count: number): number =>
    ROUND.split(' ')
      .map((text) => duration(text) ?? DAY_MS)
      .find((ms) => fits(ms, count)) ?? Math.ceil((to - from) / count / DAY_MS + 1) * DAY_MS;
  if (asked === 'auto') return round(columns);
  const ms = lengthOf('--bucket', asked, ' or auto');
  if (fits(ms, MOST_BUCKETS)) return ms;
  const least = formatDuration(round(MOST_BUCKETS));
  throw usage(`--bucket ${asked} is too short for so long a time: ${least} or more, or auto.`);
}

function lengthOf(option: string, text: string, more = ''): number {
  const ms = duration(text);
  if (ms !== undefined && ms > 0) return ms;
  throw usage(`${option} must be a duration like 10m, 1h or 7d${more}, not "${text}".`);
}

const TIME = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.]\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?$/;

/** Without a zone it is a time of this machine's. */
function timeOf(option: string, text: string): number {
  // A date alone would be read as one of UTC.
  const ms = TIME.test(text) ? Date.parse(text.length === 10 ? `${text}T00:00` : text) : NaN;
  if (!Number.isNaN(ms)) return ms;
  throw usage(
    `${option} must be a time like 2026-11-22, 2026-11-22T10:00 (local) or 2026-11-22T10:00:00Z, not "${text}".`,
  );
}
