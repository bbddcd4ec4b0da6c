/**
 * The calls under way to one node, over one conversation with it. They are kept nowhere: each ends with its answer, its
 * time, its caller or the conversation, whichever comes first.
 */
import type { Clock } from '@limpet/dmi';
import type { Arguments, CallFailure, CallOutcome } from '@limpet/dmi/manifest';
import type { FromCloud } from '#protocol';

export interface CallAsked {
  /** `namespace/name`. */
  readonly device: string;
  readonly method: string;
  readonly input: Arguments;
  readonly timeoutMs: number;
}

export interface CallsOptions {
  readonly node: string;
  readonly send: (message: FromCloud) => void;
  readonly after: Clock['after'];
  /** The edge knows the message. */
  readonly offered: boolean;
}

/** Under way to one node at once. */
const MAX_CALLS = 32;
/** The edge gives up first, and says more: so much longer it is waited for. */
const WAY_MS = 2_000;

export class NodeCalls {
  readonly #options: CallsOptions;
  readonly #pending = new Map<number, (outcome: CallOutcome) => void>();
  #last = 0;

  constructor(options: CallsOptions) {
    this.#options = options;
  }

  async call(asked: CallAsked, signal: AbortSignal): Promise<CallOutcome> {
    const { node, send, after, offered } = this.#options;
    if (!offered) {
      return stopped('NODE_OLD', `node "${node}" runs a Limpet without method calls: update it`);
    }
    if (signal.aborted) return stopped('CALL_CANCELLED', 'it was called off');
    if (this.#pending.size >= MAX_CALLS) {
      return stopped('CALL_BUSY', `${MAX_CALLS} calls to node "${node}" are under way: try again`);
    }
    const { device, method, input, timeoutMs: ttl } = asked;
    const id = ++this.#last;
    const { promise, resolve } = Promise.withResolvers<CallOutcome>();
    this.#pending.set(id, resolve);
    const giveUp = (outcome: CallFailure): void => {
      send({ type: 'uncall', id });
      resolve(outcome);
    };
    const late = `node "${node}" did not answer within ${ttl / 1_000} s`;
    const cancel = after(ttl + WAY_MS, () => giveUp(stopped('CALL_TIMEOUT', late, 'maybe')));
    const gone = (): void => giveUp(stopped('CALL_CANCELLED', 'it was called off', 'maybe'));
    signal.addEventListener('abort', gone, { once: true });
    send({ type: 'call', id, device, method, input, ttl });
    try {
      return await promise;
    } finally {
      this.#pending.delete(id);
      cancel();
      signal.removeEventListener('abort', gone);
    }
  }

  /** The edge says how it ended. One that nobody waits for any more comes too late, and is no fault. */
  called(id: number, outcome: CallOutcome): void {
    this.#pending.get(id)?.(outcome);
  }

  /** The conversation is over. */
  end(): void {
    const { node } = this.#options;
    const message = `the connection to node "${node}" was lost before it answered`;
    for (const resolve of this.#pending.values()) resolve(stopped('NODE_LOST', message, 'maybe'));
  }
}

/** `lastSeen` in ms since 1970. */
export function notConnected(node: string, lastSeen: number | undefined): CallFailure {
  const seen =
    lastSeen === undefined
      ? 'it was never seen here'
      : `it was last seen ${new Date(lastSeen).toISOString()}`;
  return stopped('NODE_OFFLINE', `node "${node}" is not connected; ${seen}`);
}

function stopped(code: string, message: string, ran: CallFailure['ran'] = 'no'): CallFailure {
  return { ok: false, at: 'cloud', code, message, ran };
}
