/** The calls under way to one node, over one conversation with it. */
import type { Clock } from '@limpet/dmi';
import type { Arguments, CallFailure, CallOutcome } from '@limpet/dmi/manifest';
import type { FromCloud } from '#protocol';
import { away, OpenQuestions } from './open-questions.ts';

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
  readonly #open: OpenQuestions<CallOutcome>;

  constructor(options: CallsOptions) {
    this.#options = options;
    this.#open = new OpenQuestions(options.after);
  }

  async call(asked: CallAsked, signal: AbortSignal): Promise<CallOutcome> {
    const { node, send, offered } = this.#options;
    if (!offered) {
      return stopped('NODE_OLD', `node "${node}" runs a Limpet without method calls: update it`);
    }
    if (signal.aborted) return stopped('CALL_CANCELLED', 'it was called off');
    if (this.#open.size >= MAX_CALLS) {
      return stopped('CALL_BUSY', `${MAX_CALLS} calls to node "${node}" are under way: try again`);
    }
    const { device, method, input, timeoutMs: ttl } = asked;
    const late = `node "${node}" did not answer within ${ttl / 1_000} s`;
    const question = {
      send: (id: number) => send({ type: 'call', id, device, method, input, ttl }),
      withinMs: ttl + WAY_MS,
      late: stopped('CALL_TIMEOUT', late, 'maybe'),
      cancelled: stopped('CALL_CANCELLED', 'it was called off', 'maybe'),
      givenUp: (id: number) => send({ type: 'uncall', id }),
    };
    return this.#open.ask(question, signal);
  }

  /** The edge says how it ended. */
  called(id: number, outcome: CallOutcome): void {
    this.#open.answered(id, outcome);
  }

  /** The conversation is over. */
  end(): void {
    const message = `the connection to node "${this.#options.node}" was lost before it answered`;
    this.#open.end(stopped('NODE_LOST', message, 'maybe'));
  }
}

/** `lastSeen` in ms since 1970. */
export function notConnected(node: string, lastSeen: number | undefined): CallFailure {
  return stopped('NODE_OFFLINE', away(node, lastSeen));
}

function stopped(code: string, message: string, ran: CallFailure['ran'] = 'no'): CallFailure {
  return { ok: false, at: 'cloud', code, message, ran };
}
