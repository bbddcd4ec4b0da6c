/** A mapper's context without a machine beneath: in-memory wires, a clock that stands still, a log in memory. */
import { type Duplex, duplexPair } from 'node:stream';
import { Unreachable } from '../errors.ts';
import type { MapperContext } from '../mapper.ts';
import { type FakeClock, fakeClock } from './clock.ts';
import { type RecordingLog, recordingLog } from './log.ts';

/** Serves one wire of a simulated device; called once for each time that the device is dialled. */
export type Serve = (wire: Duplex) => void;

export interface FakeContext extends MapperContext {
  readonly clock: FakeClock;
  readonly log: RecordingLog;
  /** Every address that was dialled, in order. */
  readonly dialled: readonly string[];
}

/**
 * A context whose `dial` reaches `wire`: any address when it is a function, else those that it names; other
 * addresses, and without it all, are Unreachable.
 */
export function fakeContext(
  options: {
    readonly device?: string;
    readonly wire?: Serve | Readonly<Record<string, Serve>>;
    readonly clock?: FakeClock;
    /** Without it the mapper has none, as inline. */
    readonly folder?: string;
  } = {},
): FakeContext {
  const { device = 'default/device-1', wire = {}, clock = fakeClock(), folder } = options;
  const dialled: string[] = [];
  return {
    device,
    clock,
    log: recordingLog(),
    dialled,
    ...(folder !== undefined && { folder }),
    // eslint-disable-next-line typescript/require-await -- rejects, never throws, like the real one
    async dial(address, signal) {
      signal.throwIfAborted();
      dialled.push(address);
      const serve = typeof wire === 'function' ? wire : wire[address];
      if (serve === undefined) throw new Unreachable('DIAL_REFUSED', `nothing serves ${address}`);
      const [near, far] = duplexPair();
      serve(far);
      return near;
    },
  };
}
