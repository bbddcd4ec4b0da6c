/**
 * What becomes of one property's reports, pure: a sample, the begin of a gap, or its end. A value holds until the
 * next sample or gap, so every moment since a series began is in one of the two.
 */
import { type Json } from '@limpet/dmi';
import { type Quality, type Reported } from '@limpet/dmi/manifest';

/** One past value. `at`: ms since 1970, edge clock. */
export interface Sample {
  readonly at: number;
  readonly quality: Quality;
  readonly value: Json;
}

/**
 * Why there is nothing to know. `away`: the device did not answer. `down`: the edge did not run, or what it had was
 * not on disk yet. `off`: no history was wanted. `shed`: given up for want of memory. `disk`: could not be written.
 * `dropped`: the ring was full or it was too old. `damaged`: the file was lost.
 */
export type GapCause = 'away' | 'down' | 'off' | 'shed' | 'disk' | 'dropped' | 'damaged';

export interface Gap {
  readonly cause: GapCause;
  readonly from: number;
  readonly to: number;
}

/** A gap that goes on. */
export type OpenGap = Omit<Gap, 'to'>;

export interface Track {
  /** A value that stood for less is left out if a sample was taken less long ago; 0: every report is a sample. */
  readonly everyMs: number;
  /** When the last sample was taken. */
  readonly sampledAt: number;
  /** The latest report within `everyMs` of the last sample: taken if it stands for as long. */
  readonly held?: Sample;
  readonly open?: OpenGap;
}

/** What is to be kept, in this order. */
export interface Heard {
  readonly track: Track;
  readonly gap?: Gap;
  readonly samples: readonly Sample[];
}

export function begin(everyMs: number, open?: OpenGap): Track {
  return { everyMs, sampledAt: Number.NEGATIVE_INFINITY, ...(open && { open }) };
}

/** `seen`: when the device last answered, as far as that is known. */
export function heard(
  track: Track,
  reported: Reported<number>,
  { now, seen = now }: { readonly now: number; readonly seen?: number | undefined },
): Heard {
  if (reported.quality === 'stale') return away(track, Math.min(now, seen));
  const at = momentOf(track, reported, now);
  const sample = { at, quality: reported.quality, value: reported.value };
  if (track.open === undefined) return taken(track, sample);
  const { open, ...rest } = track;
  const gap = { ...open, to: Math.max(open.from, at) };
  return { track: { ...rest, sampledAt: at }, gap, samples: [sample] };
}

/**
 * Of a bad one `at` is when it was last good. A device's own time that lies before what is known already, for its clock
 * is wrong or it told nothing while it was away, is of no use: then it is the edge's.
 */
function momentOf(track: Track, { quality, at }: Reported<number>, now: number): number {
  const known = track.open?.from ?? track.sampledAt;
  return quality === 'good' && at >= known ? at : now;
}

/** What was held back, once it has stood for as long as a sample must. */
export function due(track: Track, now: number): Heard {
  const { held, ...rest } = track;
  if (held === undefined || now - held.at < track.everyMs) return { track, samples: [] };
  return { track: { ...rest, sampledAt: held.at }, samples: [held] };
}

/** What was held back, at once. */
export function released(track: Track): Heard {
  const { held, ...rest } = track;
  return { track: rest, samples: held === undefined ? [] : [held] };
}

function taken(track: Track, sample: Sample): Heard {
  const since = sample.at - track.sampledAt;
  // A clock that went back must not hold back what comes until it has caught up.
  if (since >= 0 && since < track.everyMs)
    return { track: { ...track, held: sample }, samples: [] };
  const { held, ...rest } = track;
  const late = held !== undefined && sample.at - held.at >= track.everyMs ? [held] : [];
  return { track: { ...rest, sampledAt: sample.at }, samples: [...late, sample] };
}

function away(track: Track, seen: number): Heard {
  if (track.open !== undefined) return { track, samples: [] };
  const { track: rest, samples } = released(track);
  const last = samples.at(-1)?.at ?? rest.sampledAt;
  return { track: { ...rest, open: { cause: 'away', from: Math.max(last, seen) } }, samples };
}
