/** Keeps history within its bounds while the service runs: looked at every 10 s, in steps that let others write between. */
import type { Clock, Log } from '@limpet/dmi';
import type { CloudStore } from '../store/store.ts';

const LOOK_MS = 10_000;

export class HistoryKeeper {
  readonly #store: Pick<CloudStore, 'commit'>;
  readonly #clock: Clock;
  readonly #log: Log;
  #cancel: () => void = () => undefined;
  #looking: Promise<void> | undefined;
  #stopped = false;

  constructor(store: Pick<CloudStore, 'commit'>, { clock, log }: { clock: Clock; log: Log }) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  start(): void {
    this.#cancel = this.#clock.after(LOOK_MS, () => {
      this.#looking = this.#look().finally(() => {
        if (!this.#stopped) this.start();
      });
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#looking;
  }

  async #look(): Promise<void> {
    try {
      while (!this.#stopped && (await this.#store.commit.run(step))) {
        // Whoever waits is served first: the next step goes behind them.
      }
    } catch (error) {
      this.#log.warn('history not trimmed now', { error });
    }
  }
}

const step: Parameters<CloudStore['commit']['run']>[0] = async ({ past }) => past?.keep();
