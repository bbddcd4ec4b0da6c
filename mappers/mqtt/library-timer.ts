/** The clock of the mapper as the timer by which the library keeps a connection alive. */
import type { Clock } from '@limpet/dmi';
import type { Timer } from 'mqtt';

/**
 * The library ticks twice in a keepalive, asks after two ticks and gives up after three. Three ticks in a keepalive
 * notice a broker that is gone within one.
 */
export function libraryTimer(clock: Clock): Timer {
  const cancels = new Map<number, () => void>();
  let last = 0;
  return {
    set: (tick, ms = 0) => {
      const id = ++last;
      const again = (): void => {
        const next = (): void => {
          again();
          tick();
        };
        cancels.set(id, clock.after((ms * 2) / 3, next));
      };
      again();
      return id;
    },
    clear: (id) => {
      cancels.get(id)?.();
      cancels.delete(id);
    },
  };
}
