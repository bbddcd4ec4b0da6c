/** What `limpet.yaml` says under `disk`, and what holds where it says nothing. */
import { duration, exact, quantity, text } from '@limpet/dmi/manifest';
import * as v from 'valibot';

/** What the data folder may take, in bytes. */
export interface DiskConfig {
  /** Everything together. */
  readonly ceiling: number;
  /** The twin store with its WAL; damaged copies of it may take as much again. */
  readonly twins: number;
  /** History with its WAL: a ring, the oldest goes first, and what is older than `samplesAgeMs` too. */
  readonly samples: number;
  readonly samplesAgeMs: number;
  /** Bytes that may be written a day. */
  readonly wearPerDay: number;
}

const MIB = 2 ** 20;

/**
 * For a card of 8 GB. One whose cells bear 1,000 erasures takes 8 TB in its life; half of that is lost to the card's own
 * copying and the file system's journal. 2 GiB a day use the other 4 TB up in five years.
 */
const DEFAULTS: DiskConfig = {
  ceiling: 256 * MIB,
  twins: 64 * MIB,
  samples: 64 * MIB,
  samplesAgeMs: 30 * 86_400_000,
  wearPerDay: 2048 * MIB,
};

/** The schema of the words under `disk`. */
export const DiskWords = exact({
  ceiling: v.optional(atLeast('32Mi', 32 * MIB)),
  twins: v.optional(atLeast('16Mi', 16 * MIB)),
  samples: v.optional(atLeast('16Mi', 16 * MIB)),
  samplesAge: v.optional(text('a duration of at least 1m, like 30d', isAge)),
  wearPerDay: v.optional(atLeast('16Mi', 16 * MIB)),
});

export function diskOf(words: Partial<v.InferOutput<typeof DiskWords>>): DiskConfig {
  const { samplesAge, ...sizes } = words;
  const given = Object.entries(sizes).filter(([, bytes]) => bytes !== undefined);
  const samplesAgeMs = samplesAge === undefined ? undefined : duration(samplesAge);
  return {
    ...DEFAULTS,
    ...Object.fromEntries(given),
    ...(samplesAgeMs !== undefined && { samplesAgeMs }),
  };
}

function atLeast(least: string, bytes: number): v.GenericSchema<unknown, number> {
  return v.pipe(
    quantity(),
    v.check((size) => size >= bytes, `must be at least ${least}`),
  );
}

function isAge(value: string): boolean {
  return (duration(value) ?? 0) >= 60_000;
}
