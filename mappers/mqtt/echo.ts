/** What a device says after it was told to change something: the value it took, another one, or nothing. */
import { type Clock, type DmiError, type Value, unlessAborted } from '@limpet/dmi';
import type { Share } from './broker.ts';
import { sameValue } from './news.ts';

/** A state that is another than was asked for gets so long to follow: the device may have been about to say it. */
const FOLLOW_MS = 1_000;

export class Echo {
  readonly #share: Pick<Share, 'ping'>;
  readonly #clock: Clock;
  readonly #wanted: Value;
  readonly #told = Promise.withResolvers<Value>();
  #cancel: (() => void)[] = [];

  constructor(wanted: Value, share: Pick<Share, 'ping'>, clock: Clock) {
    this.#wanted = wanted;
    this.#share = share;
    this.#clock = clock;
    // Nobody may be waiting yet.
    this.#told.promise.catch(() => undefined);
  }

  /** The device says what it is now. */
  state(value: Value): void {
    if (sameValue(value, this.#wanted)) this.#told.resolve(value);
    else this.#after(FOLLOW_MS, () => this.#told.resolve(value));
  }

  /** The device answers. */
  answer(value: Value): void {
    this.#told.resolve(value);
  }

  fail(error: unknown): void {
    this.#told.reject(error);
  }

  /** Resolves with what the device says. @throws `silent` after `ms`, unless it is the broker that is gone */
  async wait(ms: number, silent: DmiError, signal: AbortSignal): Promise<Value> {
    this.#after(ms, () => {
      this.#share.ping(signal).then(
        () => this.fail(silent),
        (lost: unknown) => this.fail(lost),
      );
    });
    try {
      return await unlessAborted(this.#told.promise, signal);
    } finally {
      for (const cancel of this.#cancel) cancel();
      this.#cancel = [];
    }
  }

  #after(ms: number, task: () => void): void {
    this.#cancel.push(this.#clock.after(ms, task));
  }
}
