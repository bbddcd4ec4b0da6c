/** How what an edge says of a property joins what the cloud has. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { Desired, Reported } from '@limpet/dmi/manifest';
import type { PropertyRow } from '#protocol';
import type { Judged, Mirror } from '../store/mirrors.ts';

/** What the cloud holds of the property: what this very node said before, and the rev of the order. */
export interface Held {
  readonly mirror: Mirror | undefined;
  readonly rev: number | undefined;
}

export interface Merged {
  readonly mirror: Mirror;
  /** The mirror is not what it was. */
  readonly changed: boolean;
  /** The row's order is newer than the cloud's: the cloud lost it, or it was placed at the edge. */
  readonly adopted: Desired<number> | undefined;
}

export function mergeProperty(row: PropertyRow, held: Held): Merged {
  const before = held.mirror;
  const reported = mergeReported(before?.reported, row);
  const judged = row.desired ? mergeJudged(before?.judged, row.desired) : before?.judged;
  const mirror = { ...(reported && { reported }), ...(judged && { judged }) };
  const adopted = row.desired && row.desired.rev > (held.rev ?? -1) ? row.desired : undefined;
  return { mirror, changed: !isDeepStrictEqual(mirror, before), adopted };
}

/** A value from the edge's disk may be older than what its former life reported here. */
function mergeReported(
  before: Reported<number> | undefined,
  { reported, carried }: PropertyRow,
): Reported<number> | undefined {
  if (reported === undefined) return before;
  return carried && before && before.at >= reported.at ? before : reported;
}

/** A final verdict stays: an edge that lost its last commits in a power cut says `pending` again. */
function mergeJudged(before: Judged | undefined, desired: Desired<number>): Judged {
  const { rev, verdict, reason, stages } = desired;
  const { accepted: _, ...reached } = stages;
  const now = { rev, verdict, ...(reason && { reason }), stages: reached };
  if (before === undefined || before.rev < rev) return now;
  if (before.rev > rev) return before;
  if (before.verdict !== 'pending' && verdict === 'pending') return before;
  return { ...now, stages: { ...before.stages, ...reached } };
}
