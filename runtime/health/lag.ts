/** Notices when this process cannot keep up: the event loop answers late. */
import { type Clock, type Log } from '@limpet/dmi';

const LOOK_EVERY_MS = 1_000;
/** Late by this, three times in a row, is trouble; early enough once again is the end of it. */
const LATE_MS = 200;
const IN_A_ROW = 3;

export class LagWatch {
  readonly #clock: Clock;
  readonly #log: Log;
  #cancel: (() => void) | undefined;
  #late = 0;
  #worstMs = 0;
  /** Lateness at the last look. */
  lagMs = 0;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  start(): void {
    const due = this.#clock.monotonic() + LOOK_EVERY_MS;
    this.#cancel = this.#clock.after(LOOK_EVERY_MS, () => {
      this.#look(this.#clock.monotonic() - due);
      this.start();
    });
  }

  stop(): void {
    this.#cancel?.();
  }

  #look(lagMs: number): void {
    this.lagMs = lagMs;
    const was = this.#late;
    this.#late = lagMs > LATE_MS ? was + 1 : 0;
    this.#worstMs = Math.max(this.#worstMs, lagMs);
    if (this.#late === IN_A_ROW) {
      this.#log.warn('this process is overloaded: poll fewer properties or less often', { lagMs });
    } else if (this.#late === 0) {
      if (was >= IN_A_ROW)
        this.#log.info('this process keeps up again', { worstMs: this.#worstMs });
      this.#worstMs = 0;
    }
  }
}
