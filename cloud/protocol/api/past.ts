/** Answers questions about the past of one property, from whatever keeps it. */
import { API_VERSION } from '@limpet/dmi/manifest';
import { setImmediate as turn } from 'node:timers/promises';
import type { Awaitable, SampleList, SamplesQuery } from './backend.ts';
import { type Bucket, Buckets, type PastGap, type PastSample } from './buckets.ts';
import { badRequest } from './status.ts';

/** Both ends included, ms since 1970. */
export interface PastTime {
  readonly from: number;
  readonly to: number;
}

export interface PastSource {
  /** Samples of the time, oldest first, behind the place that a page before named in `next`. */
  page(
    time: PastTime,
    page: { readonly after?: string | undefined; readonly limit: number },
  ): Awaitable<{ readonly samples: readonly PastSample[]; readonly next?: string }>;
  /** The last sample before a time, as far as it is found without a long search. */
  before(time: number): Awaitable<PastSample | undefined>;
  /** Those that reach into the time, oldest first. */
  gaps(time: PastTime): Awaitable<readonly PastGap[]>;
}

/** Samples that one answer in buckets looks at. */
const MOST_SAMPLES = 200_000;
const PAGE = 5_000;

/** @throws ApiError BadRequest */
export async function answerPast(
  source: PastSource,
  of: { readonly device: string; readonly property: string },
  { query, now }: { readonly query: SamplesQuery; readonly now: number },
): Promise<SampleList> {
  const { sinceMs = 0, from = now - sinceMs, to = now, bucketMs, limit, after } = query;
  const list = { apiVersion: API_VERSION, kind: 'SampleList', ...of } as const;
  if (bucketMs !== undefined) {
    const first = Math.floor((after === undefined ? from : Number(after)) / bucketMs) * bucketMs;
    const end = Math.min(to, first + limit * bucketMs);
    const { gaps, buckets, next } = await inBuckets(source, { from: first, to: end }, bucketMs);
    const on = next ?? (end < to ? end : undefined);
    return {
      ...list,
      samples: [],
      gaps: gaps.map((gap) => shownGap(gap)),
      buckets: buckets.map((bucket) => ({ ...bucket, from: iso(bucket.from) })),
      ...(on !== undefined && { next: String(on) }),
    };
  }
  const { samples, next } = await source.page({ from, to }, { after, limit });
  const gaps = after === undefined ? await source.gaps({ from, to }) : [];
  return {
    ...list,
    samples: samples.map((sample) => ({ ...sample, at: iso(sample.at) })),
    gaps: gaps.map((gap) => shownGap(gap)),
    ...(next !== undefined && { next }),
  };
}

interface InBuckets {
  readonly gaps: readonly PastGap[];
  readonly buckets: readonly Bucket[];
  readonly next?: number;
}

async function inBuckets(source: PastSource, time: PastTime, bucketMs: number): Promise<InBuckets> {
  const before = await source.before(time.from);
  const gaps = await source.gaps({
    from: Math.min(time.from, before?.at ?? time.from),
    to: time.to,
  });
  const told = gaps.filter(({ to = Infinity }) => to >= time.from);
  const buckets = new Buckets({ from: time.from, bucketMs, before, gaps });
  let looked = 0;
  // Of the last millisecond is the next bucket.
  const span = { from: time.from, to: time.to - 1 };
  for (let after: string | undefined; ;) {
    const page = await source.page(span, { after, limit: PAGE });
    for (const sample of page.samples) buckets.add(sample);
    looked += page.samples.length;
    const reached = page.next === undefined ? undefined : (page.samples.at(-1)?.at ?? time.from);
    if (reached === undefined || looked >= MOST_SAMPLES) {
      const end = reached ?? time.to;
      const done =
        reached === undefined
          ? { buckets: buckets.end(end) }
          : upTo(buckets, { ...time, to: end }, bucketMs);
      const holes = await ended(source, buckets.holes(), end);
      return { gaps: [...told, ...holes].toSorted((a, b) => a.from - b.from), ...done };
    }
    after = page.next;
    await turn();
  }
}

/** The last one ends with the next sample, also where that is after what was asked about. */
async function ended(
  source: PastSource,
  holes: readonly PastGap[],
  from: number,
): Promise<readonly PastGap[]> {
  const last = holes.at(-1);
  if (last === undefined || last.to !== undefined) return holes;
  const { samples } = await source.page({ from, to: Number.MAX_SAFE_INTEGER }, { limit: 1 });
  const to = samples[0]?.at;
  return to === undefined ? holes : [...holes.slice(0, -1), { ...last, to }];
}

/** Of what was looked at, the buckets that are whole. */
function upTo(
  buckets: Buckets,
  { from, to }: PastTime,
  bucketMs: number,
): { buckets: readonly Bucket[]; next: number } {
  const next = Math.floor(to / bucketMs) * bucketMs;
  if (next <= from) {
    throw badRequest(
      `query parameter bucket: one bucket has more than ${MOST_SAMPLES} samples; ask for smaller ones`,
    );
  }
  return { buckets: buckets.end(to).filter((bucket) => bucket.from < next), next };
}

function shownGap({ cause, from, to }: PastGap): SampleList['gaps'][number] {
  return { cause, from: iso(from), ...(to !== undefined && { to: iso(to) }) };
}

/** A time that a calendar cannot say (a broken clock) is shown as the epoch. */
function iso(ms: number): string {
  const date = new Date(ms);
  return (Number.isNaN(date.getTime()) ? new Date(0) : date).toISOString();
}
