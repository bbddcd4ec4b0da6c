/** How long a device that is away is left alone: as backoff says, or until its mapper hears that it is worth a try. */
import { type Clock, type Log, type MapperContext } from '@limpet/dmi';
import { type DevicePlan } from './plan.ts';
import { type Seat } from './seat.ts';

/** However often a device that flaps says that it is back, it is tried once in so long at most. */
const EARLIEST_MS = 5_000;

export interface Absence {
  readonly plan: DevicePlan;
  readonly seat: Seat;
  /** Of the error that said so. */
  readonly code: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** @throws the signal's reason */
export async function leaveAlone(absence: Absence, ms: number, signal: AbortSignal): Promise<void> {
  const { seat, clock, log } = absence;
  if (ms <= EARLIEST_MS || !hears(absence)) return clock.sleep(ms, signal);
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  const early = async (): Promise<void> => {
    await Promise.all([clock.sleep(EARLIEST_MS, both), heard(absence, both)]);
    log.debug('the mapper hears that the device is back');
  };
  try {
    await Promise.race([clock.sleep(ms, both), early()]);
  } finally {
    over.abort(new Error('the device is tried again'));
    seat.release();
  }
}

/** Not while no process is the mapper: then reading its parts throws. */
function hears({ plan, log }: Absence): boolean {
  try {
    return plan.mapper.back !== undefined;
  } catch (error) {
    log.debug('the mapper is not there to hear that the device is back', { error });
    return false;
  }
}

/** Never resolves where the mapper cannot hear it: then backoff alone says when. */
async function heard(
  { plan, seat, code, clock, log }: Absence,
  signal: AbortSignal,
): Promise<void> {
  const context: MapperContext = {
    device: seat.device,
    dial: (address, inner) => seat.dial(address, AbortSignal.any([inner, signal])),
    keep: (stream) => seat.keep(stream),
    clock,
    log,
  };
  try {
    await plan.mapper.back?.({ settings: plan.settings, code }, context, signal);
  } catch (error) {
    if (!signal.aborted) log.debug('the mapper cannot hear whether the device is back', { error });
    await new Promise<never>(() => undefined);
  }
}
