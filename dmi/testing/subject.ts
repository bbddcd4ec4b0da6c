/** What a mapper's author gives to the conformance run, and what it answers. */
import type { PropertyShape } from '../mapper.ts';
import type { Value } from '../value.ts';
import type { Serve } from './context.ts';

/** One property of the simulated device. Its value holds still unless the run writes it. */
export interface SubjectItem {
  /** As a device model says it. */
  readonly visitor: unknown;
  readonly property: PropertyShape;
  /** What the simulator holds at first. */
  readonly reads?: Value;
  /** Values to write, for a property that is `readWrite`. */
  readonly writes?: readonly Value[];
}

/** A simulated device, and what there is to read and write on it. */
export interface Subject {
  /** Serves one wire. What was written is still there on the next wire. */
  readonly serve: Serve;
  /** As a device says them. */
  readonly settings: unknown;
  readonly items: readonly [SubjectItem, ...SubjectItem[]];
  /** A visitor that the schema takes and the device refuses, such as a register that it lacks. */
  readonly refused?: unknown;
  /** Whether the protocol carries a checksum, so that a single flipped bit must be noticed. */
  readonly checksummed?: boolean;
  /** How many random faults to try; default 200. */
  readonly faults?: number;
  /** Where the random faults begin; default 1. */
  readonly seed?: number;
}

/** What became of one promise of the DMI. */
export interface Assertion {
  /** Stable: `DMI-201`. */
  readonly id: string;
  /** The promise, as a sentence. */
  readonly title: string;
  readonly result: 'pass' | 'fail' | 'not-applicable';
  /** Why it failed or does not apply. */
  readonly reason?: string;
}
