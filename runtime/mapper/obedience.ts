/**
 * Whether a mapper ends what it is told to give up, promptly and at all. Nobody waits for one that does not: what was
 * given up is over for everybody else. It is seen here, so that its author can be told.
 */
import { type Clock } from '@limpet/dmi';
import { type Reason } from '@limpet/dmi/manifest';

/** What the DMI asks for. */
const PROMPT_MS = 100;
/** What still goes on then hangs. */
const PATIENCE_MS = 1_000;

export interface Tardy {
  /** Calls that took longer than 100 ms to end. */
  readonly count: number;
  /** The last of them: `read of default/boiler-1`. */
  readonly last: string;
}

export const NEVER_TARDY: Tardy = { count: 0, last: '' };

export class Obedience {
  readonly #clock: Clock;
  readonly #noticed: () => void;
  #tardy = NEVER_TARDY;
  #unended = 0;

  /** `noticed` is told of each call that did not end promptly. */
  constructor(clock: Clock, noticed: () => void = () => undefined) {
    this.#clock = clock;
    this.#noticed = noticed;
  }

  get tardy(): Tardy {
    return this.#tardy;
  }

  /** Calls that were given up more than a second ago and go on. */
  get unended(): number {
    return this.#unended;
  }

  /** `what` is asked for only when there is something to tell. */
  watch(call: Promise<unknown>, signal: AbortSignal, what: () => string): void {
    let over = false;
    let hangs = false;
    let cancel: (() => void) | undefined;
    const hang = (): void => {
      hangs = true;
      this.#unended += 1;
    };
    const late = (): void => {
      if (over) return;
      this.#tardy = { count: this.#tardy.count + 1, last: what().slice(0, 200) };
      this.#noticed();
    };
    const abort = (): void => {
      cancel = this.#clock.after(PROMPT_MS, () => {
        cancel = this.#clock.after(PATIENCE_MS - PROMPT_MS, hang);
        // What has come in meanwhile is looked at first: this process itself may have been kept waiting.
        setImmediate(late);
      });
    };
    const ended = (): void => {
      over = true;
      signal.removeEventListener('abort', abort);
      cancel?.();
      if (hangs) this.#unended -= 1;
    };
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    call.then(ended, ended);
  }
}

/** `undefined` when there is nothing to object. */
export function disobedience({ count, last }: Tardy): Reason | undefined {
  if (count === 0) return undefined;
  const message = `it goes on with what it is told to give up: ${count} times it took more than ${PROMPT_MS} ms to end, last: ${last}`;
  return { code: 'MAPPER_DEAF', message };
}
