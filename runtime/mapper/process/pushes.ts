/**
 * The core's end of subscriptions: takes the batches that a mapper's process tells by itself, one for each grant.
 * The next grant waits so long that a process that floods takes a fifth of the core's time at most.
 */
import { type Clock, type Log, type Reading, type Sink } from '@limpet/dmi';
import { countOf, errorOf, type Fields, listOf, orFault, ProtocolFault } from './checks.ts';
import { MAX_BATCH_READINGS } from './outbox.ts';
import { unpackReading } from './packed.ts';

export interface PushesOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly grant: () => void;
}

/** A batch is answered by a grant after this, and at least {@link REST} times as long as it took. */
const PACE_MS = 10;
const REST = 4;

interface Live {
  readonly sink: Sink;
  readonly count: number;
}

export class Pushes {
  readonly #options: PushesOptions;
  readonly #live = new Map<number, Live>();
  #granted = true;
  #cancel: (() => void) | undefined;
  #superseded = 0;
  #readings = 0;

  constructor(options: PushesOptions) {
    this.#options = options;
  }

  /** Readings that the process replaced by later ones because the core was slow. */
  get superseded(): number {
    return this.#superseded;
  }

  /** Readings taken. */
  get readings(): number {
    return this.#readings;
  }

  open(subscription: number, count: number, sink: Sink): void {
    this.#live.set(subscription, { sink, count });
  }

  close(subscription: number): void {
    this.#live.delete(subscription);
  }

  /** @throws ProtocolFault */
  receive(batch: Fields): void {
    if (!this.#granted) throw new ProtocolFault('readings that were not granted');
    this.#granted = false;
    const { clock, grant } = this.#options;
    const start = clock.monotonic();
    this.#deliver(batch);
    const pauseMs = Math.max(PACE_MS, REST * (clock.monotonic() - start));
    this.#cancel = clock.after(pauseMs, () => {
      this.#granted = true;
      grant();
    });
  }

  /** The process is gone. */
  end(error: Error): void {
    this.#cancel?.();
    const live = [...this.#live.values()];
    this.#live.clear();
    for (const { sink } of live) this.#tell(() => sink.lost(error));
  }

  #deliver({ r, l, s }: Fields): void {
    this.#superseded = countOf(s, Number.MAX_SAFE_INTEGER, 'how many readings were replaced');
    for (const item of listOf(r, MAX_BATCH_READINGS, 'readings')) {
      const [subscription, index, packed] = listOf(item, 3, 'a reading');
      const live = this.#of(subscription);
      if (live === undefined) continue;
      const at = countOf(index, live.count, 'the index of a reading');
      this.#readings += 1;
      const reading: Reading = orFault('a reading', () => unpackReading(packed));
      this.#tell(() => live.sink.reading(at, reading));
    }
    for (const item of listOf(l, Number.MAX_SAFE_INTEGER, 'losses')) {
      const [subscription, packed] = listOf(item, 2, 'a loss');
      const error = errorOf(packed);
      const live = this.#of(subscription);
      this.close(subscription as number);
      this.#tell(() => live?.sink.lost(error));
    }
  }

  /** A sink never throws; one that does is a bug of ours, which must not pass for one of the mapper. */
  #tell(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.#options.log.error('a reading could not be taken: a bug', { error });
    }
  }

  /** Nothing for one that has ended: its last readings may have been on their way. */
  #of(subscription: unknown): Live | undefined {
    if (typeof subscription !== 'number') throw new ProtocolFault('a subscription has a number');
    return this.#live.get(subscription);
  }
}
