/** The past of a property as it was asked for, and what it comes to. Pure. */
import type { Json } from '@limpet/dmi';
import type { Quality } from '@limpet/dmi/manifest';
import type { SampleList } from '../../cloud/protocol/api/backend.ts';
import { sumOf } from '../render/plot.ts';
import type { Span } from './span.ts';

export type Gap = SampleList['gaps'][number];
export type Sample = SampleList['samples'][number];
export type Bucket = NonNullable<SampleList['buckets']>[number];

export interface Past extends Span {
  readonly bucketMs: number;
  readonly buckets: readonly Bucket[];
  readonly gaps: readonly Gap[];
}

export interface Summary {
  readonly min?: number;
  readonly mean?: number;
  readonly max?: number;
  readonly last?: Json;
  /** Samples taken in the time. */
  readonly count: number;
  /** Share of the time in which a good value was known, 0 to 1. */
  readonly known: number;
}

export function summaryOf({ from, to, buckets }: Past): Summary {
  const last = buckets.findLast((bucket) => bucket.last !== undefined)?.last;
  const held = buckets.reduce((sum, { heldMs }) => sum + heldMs, 0);
  return {
    ...sumOf(buckets.map((bucket) => ({ ...bucket, from: Date.parse(bucket.from) }))),
    ...(last !== undefined && { last }),
    count: buckets.reduce((sum, { count }) => sum + count, 0),
    known: Math.min(1, held / (to - from)),
  };
}

/** Whether it is told by a plot: else by its changes. */
export function isNumber({ buckets }: Past): boolean {
  return buckets.some(({ last }) => typeof last === 'number');
}

export interface Change {
  readonly at: string;
  readonly value: Json;
  readonly quality: Quality;
  /** Until the next change, a gap, or the end of the time. */
  readonly heldMs: number;
}

/** Samples that differ from the one before; after a gap each does. */
export function changesOf(samples: readonly Sample[], { gaps, to }: Past): Change[] {
  const changes: Change[] = [];
  for (const [index, { at, value, quality }] of samples.entries()) {
    const begin = Date.parse(at);
    const next = samples[index + 1]?.at;
    const end = next === undefined ? to : Date.parse(next);
    // That it is stale or bad it says itself.
    const gap = gaps.find(({ cause, from }) => {
      return cause !== quality && Date.parse(from) >= begin && Date.parse(from) < end;
    });
    const heldMs = Math.max(0, (gap === undefined ? end : Date.parse(gap.from)) - begin);
    const before = changes.at(-1);
    const goesOn =
      before?.quality === quality &&
      JSON.stringify(before.value) === JSON.stringify(value) &&
      Date.parse(before.at) + before.heldMs === begin;
    if (goesOn) changes[changes.length - 1] = { ...before, heldMs: before.heldMs + heldMs };
    else changes.push({ at, value, quality, heldMs });
  }
  return changes;
}
