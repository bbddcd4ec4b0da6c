/** Waits until the mapper in this process hears that a device is worth a try; what it dials meanwhile closes then. */
import { type Away, type Mapper, type MapperContext, unlessAborted } from '@limpet/dmi';
import { type Seat } from '../../../device/seat.ts';
import { type Obedience } from '../../obedience.ts';

interface Waiting {
  readonly mapper: Mapper<unknown, unknown>;
  readonly seat: Seat;
  readonly context: Omit<MapperContext, 'dial' | 'keep'>;
  readonly obedience: Obedience;
}

/** A mapper may hand on what several devices share; then its wires are cut. */
const LEAVE_MS = 1_500;

/** Leaves the seat. @throws what the mapper throws; the signal's reason */
export async function hearBack(
  { mapper, seat, context, obedience }: Waiting,
  away: Away<unknown>,
  signal: AbortSignal,
): Promise<void> {
  const whole: MapperContext = {
    ...context,
    dial: (address, inner) => seat.dial(address, AbortSignal.any([inner, signal])),
    keep: (stream) => seat.keep(stream),
  };
  const heard = (async () => mapper.back?.(away, whole, signal))();
  obedience.watch(heard, signal, () => `back of ${context.device}`);
  try {
    await unlessAborted(heard, signal);
  } finally {
    const ended = heard.catch(() => undefined);
    const patience = new AbortController();
    const late = context.clock.sleep(LEAVE_MS, patience.signal).catch(() => undefined);
    void Promise.race([ended, late]).then(() => {
      patience.abort();
      seat.leave();
    });
  }
}
