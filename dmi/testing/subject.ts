/** What a mapper's author gives to the conformance run, and what it answers. */
import type { Search } from '../discovery.ts';
import type { MaybeLater, MethodShape, PropertyShape } from '../mapper.ts';
import type { Simulator } from '../simulator.ts';
import type { Value } from '../value.ts';

/** One property of the simulated device. Its value holds still unless the run changes it. */
export interface SubjectItem {
  /** As a device model says it. */
  readonly visitor: unknown;
  readonly property: PropertyShape;
  /** What the device holds at first. */
  readonly reads: Value;
  /** Values to write, for a property that is `readWrite`. */
  readonly writes?: readonly Value[];
  /** Other values that the device itself may come to hold; by default {@link writes}, and of a bool the opposite. */
  readonly turns?: readonly Value[];
}

/** One method of the simulated device. */
export interface SubjectMethod {
  /** As a device model says it. */
  readonly visitor: unknown;
  readonly method: MethodShape;
  readonly input: readonly Value[];
  /** What the device answers to that. */
  readonly output: readonly Value[];
  /** Input that the device refuses. */
  readonly refused?: readonly Value[];
}

/** A simulated device, and what there is to read and write on it. */
export interface Subject {
  /** Makes the device; one for the whole run. */
  readonly simulator: Simulator<unknown, unknown>;
  /** As a device says them. */
  readonly settings: unknown;
  readonly items: readonly [SubjectItem, ...SubjectItem[]];
  /** A visitor that the schema takes and the device refuses, such as a register that it lacks. */
  readonly refused?: unknown;
  /** An order that the schema takes and the device refuses, such as a value that its hardware cannot reach. */
  readonly refusedWrite?: { readonly visitor: unknown; readonly value: Value };
  /** Whether the protocol carries a checksum, so that a single flipped bit must be noticed. */
  readonly checksummed?: boolean;
  /**
   * Whether the device tells its values by itself, unasked: then a read that is harmed amidst what it tells may end with
   * a right value, and the read after it is lost (DMI-414, DMI-423).
   */
  readonly talks?: boolean;
  /** How many random faults to try; by default 1,000, and in real time as many as 3 s allow. */
  readonly faults?: number;
  /** Where the random faults begin; default 1. */
  readonly seed?: number;
  /**
   * For a mapper whose library has timers of its own: `context.clock` tells real time. Keep time-outs in `settings`
   * short; the run waits for them.
   */
  readonly realTime?: boolean;
  /** How long, in real time, a call to a harmed device may last before it is aborted; default 2,000. */
  readonly patienceMs?: number;
  /** What becomes `context.folder`. */
  readonly folder?: string;
  /** What the device can be told to do. */
  readonly methods?: readonly SubjectMethod[];
  /** What a person would ask for to find this device; `address` is `tcp://HOST:PORT` where the device has one. */
  readonly discover?: (address: string | undefined) => Search;
  /** Another device on the same wire: of the same port, with another unit. */
  readonly neighbour?: Pick<Subject, 'settings' | 'items'>;
  /** For a device that the kit cannot stand in front of: it has neither `accept` nor `address`. */
  readonly harm?: SubjectHarm;
}

/** What the author can do to a device that is reached by other ways than bytes, such as radio. */
export interface SubjectHarm {
  /** Ends every harm: the device answers again, and can be reached. */
  heal(): MaybeLater<void>;
  /** The connection is lost now, as when the device's battery is pulled; it can be reached again. */
  cut?(): MaybeLater<void>;
  /** From now on the device answers nothing. */
  silence?(): MaybeLater<void>;
  /** From now on the device cannot be reached. */
  refuse?(): MaybeLater<void>;
  /** From now on its answers are nonsense. */
  garble?(): MaybeLater<void>;
  /** From now on its answers come in small pieces, or late. */
  slow?(): MaybeLater<void>;
  /** From now on each answer comes many times. */
  flood?(): MaybeLater<void>;
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
