/** What a mapper looks with: the streams that the runtime gives it, and a log that a person sees. */
import { inspect } from 'node:util';
import type { Log, MapperContext } from '@limpet/dmi';
import { Ports } from '../../runtime/device/ports.ts';
import type { Seat } from '../../runtime/device/seat.ts';
import { systemClock } from '../../runtime/kernel/clock.ts';

export interface Looking {
  readonly context: MapperContext;
  /** Cuts what is still open. */
  close(): void;
}

/** `told` gets what the mapper logs: progress as info. */
export function looking(
  protocol: string,
  folder: string | undefined,
  told: (level: 'info' | 'warn' | 'error', text: string) => void,
): Looking {
  const clock = systemClock;
  const ports = new Ports({ clock });
  const seats = new Set<Seat>();
  let dials = 0;
  const context: MapperContext = {
    device: `discover/${protocol}`,
    clock,
    log: personLog(told, {}),
    ...(folder !== undefined && { folder }),
    async dial(address, signal) {
      // Each dial is a device of its own, so that two streams to one address are two.
      const seat = ports.join(undefined, `discover/${protocol}-${++dials}`);
      seats.add(seat);
      const leave = (): void => {
        if (seats.delete(seat)) seat.leave();
      };
      try {
        return (await seat.dial(address, signal)).once('close', leave);
      } catch (error) {
        leave();
        throw error;
      }
    },
  };
  const close = (): void => {
    for (const seat of seats) seat.leave();
    seats.clear();
  };
  return { context, close };
}

function personLog(
  told: (level: 'info' | 'warn' | 'error', text: string) => void,
  fixed: Record<string, unknown>,
): Log {
  const at = (level: 'info' | 'warn' | 'error') => (message: string, fields?: object) => {
    const shown = Object.entries({ ...fixed, ...fields }).map(([key, value]) => {
      const text =
        value instanceof Error ? value.message : inspect(value, { breakLength: Infinity });
      return ` ${key}=${text}`;
    });
    told(level, `${message}${shown.join('')}`);
  };
  return {
    debug: () => undefined,
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) => personLog(told, { ...fixed, ...fields }),
  };
}
