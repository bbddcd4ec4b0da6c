/** Orders run out also while their device is away: one timer for each that waits. */
import { type Clock } from '@limpet/dmi';
import { type Id } from '@limpet/dmi/manifest';
import { type DeviceStore } from './store-door.ts';

export interface DeadlinesOptions {
  readonly device: Id;
  readonly store: DeviceStore;
  readonly clock: Clock;
}

/** Bounded by the number of properties. */
export class Deadlines {
  readonly #options: DeadlinesOptions;
  readonly #over: (name: string) => void;
  readonly #timers = new Map<string, () => void>();
  #stopped = false;

  constructor(options: DeadlinesOptions, over: (name: string) => void) {
    this.#options = options;
    this.#over = over;
  }

  /** Sets the timer of this property's order anew. */
  watch(name: string): void {
    const { store, device, clock } = this.#options;
    this.#timers.get(name)?.();
    this.#timers.delete(name);
    const desired = store.twin(device)?.properties.get(name)?.desired;
    const deadline = store.deadline(device, name);
    if (desired?.verdict !== 'pending' || deadline === undefined || this.#stopped) return;
    const left = deadline - clock.now();
    if (left <= 0) return;
    this.#timers.set(
      name,
      clock.after(left, () => this.#over(name)),
    );
  }

  /** For good. */
  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
  }
}
