/** What the cloud asks one node, over one conversation with it: kept nowhere, answered at once or not at all. */
import type { Clock } from '@limpet/dmi';
import type { Asked, FromCloud, Told } from '#protocol';
import { readTold } from './told.ts';

/** `code`: for tools; `message` says why nobody answered. */
export type Asking =
  | { readonly ok: true; readonly told: Told }
  | { readonly ok: false; readonly code: string; readonly message: string };

export interface AsksOptions {
  readonly node: string;
  readonly send: (message: FromCloud) => void;
  readonly after: Clock['after'];
  /** The edge knows the message. */
  readonly offered: boolean;
}

/** Under way to one node at once. */
const MAX_ASKS = 32;
/** The edge answers from memory: what takes longer is its link. */
const ANSWER_MS = 5_000;

export class NodeAsks {
  readonly #options: AsksOptions;
  readonly #pending = new Map<number, (asking: Asking) => void>();
  #last = 0;

  constructor(options: AsksOptions) {
    this.#options = options;
  }

  async ask(about: Asked, signal: AbortSignal): Promise<Asking> {
    const { node, send, after, offered } = this.#options;
    if (!offered) {
      return failed(
        'NODE_OLD',
        `node "${node}" runs a Limpet that cannot be asked this: update it`,
      );
    }
    if (signal.aborted) return failed('ASK_CANCELLED', 'it was called off');
    if (this.#pending.size >= MAX_ASKS) {
      return failed('ASK_BUSY', `${MAX_ASKS} questions to node "${node}" are open: try again`);
    }
    const id = ++this.#last;
    const { promise, resolve } = Promise.withResolvers<Asking>();
    this.#pending.set(id, resolve);
    const late = `node "${node}" is connected, but did not answer within ${ANSWER_MS / 1_000} s`;
    const cancel = after(ANSWER_MS, () => resolve(failed('ASK_TIMEOUT', late)));
    const gone = (): void => resolve(failed('ASK_CANCELLED', 'it was called off'));
    signal.addEventListener('abort', gone, { once: true });
    send({ type: 'ask', id, about });
    try {
      return await promise;
    } finally {
      this.#pending.delete(id);
      cancel();
      signal.removeEventListener('abort', gone);
    }
  }

  /** What cannot be used is no answer, and no reason to send the edge away. One that nobody waits for any more comes too late. */
  answered(id: number, told: unknown): void {
    const resolve = this.#pending.get(id);
    if (resolve === undefined) return;
    const { node } = this.#options;
    const read = readTold(told);
    const spoiled = `node "${node}" gave an answer that cannot be read: update the older of the two sides`;
    resolve(read === undefined ? failed('ANSWER_INVALID', spoiled) : { ok: true, told: read });
  }

  /** The conversation is over. */
  end(): void {
    const message = `the connection to node "${this.#options.node}" was lost before it answered`;
    for (const resolve of this.#pending.values()) resolve(failed('NODE_LOST', message));
  }
}

/** `lastSeen` in ms since 1970. */
export function notAsked(node: string, lastSeen: number | undefined): Asking {
  const seen =
    lastSeen === undefined
      ? 'it was never seen here'
      : `it was last seen ${new Date(lastSeen).toISOString()}`;
  return failed('NODE_OFFLINE', `node "${node}" is not connected; ${seen}`);
}

function failed(code: string, message: string): Asking {
  return { ok: false, code, message };
}
