/** What the cloud asks one node, over one conversation with it: kept nowhere, answered at once or not at all. */
import type { Clock } from '@limpet/dmi';
import type { Asked, FromCloud, Told } from '#protocol';
import { away, OpenQuestions } from './open-questions.ts';
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
  readonly #open: OpenQuestions<Asking>;

  constructor(options: AsksOptions) {
    this.#options = options;
    this.#open = new OpenQuestions(options.after);
  }

  async ask(about: Asked, signal: AbortSignal): Promise<Asking> {
    const { node, send, offered } = this.#options;
    if (!offered) {
      const old = `node "${node}" runs a Limpet that cannot be asked this: update it`;
      return failed('NODE_OLD', old);
    }
    if (signal.aborted) return failed('ASK_CANCELLED', 'it was called off');
    if (this.#open.size >= MAX_ASKS) {
      return failed('ASK_BUSY', `${MAX_ASKS} questions to node "${node}" are open: try again`);
    }
    const late = `node "${node}" is connected, but did not answer within ${ANSWER_MS / 1_000} s`;
    const question = {
      send: (id: number) => send({ type: 'ask', id, about }),
      withinMs: ANSWER_MS,
      late: failed('ASK_TIMEOUT', late),
      cancelled: failed('ASK_CANCELLED', 'it was called off'),
    };
    return this.#open.ask(question, signal);
  }

  /** What cannot be used is no answer, and no reason to send the edge away. */
  answered(id: number, told: unknown): void {
    if (!this.#open.has(id)) return;
    const { node } = this.#options;
    const read = readTold(told);
    const spoiled = `node "${node}" gave an answer that cannot be read: update the older of the two sides`;
    const unread = failed('ANSWER_INVALID', spoiled);
    this.#open.answered(id, read === undefined ? unread : { ok: true, told: read });
  }

  /** The conversation is over. */
  end(): void {
    const message = `the connection to node "${this.#options.node}" was lost before it answered`;
    this.#open.end(failed('NODE_LOST', message));
  }
}

/** `lastSeen` in ms since 1970. */
export function notAsked(node: string, lastSeen: number | undefined): Asking {
  return failed('NODE_OFFLINE', away(node, lastSeen));
}

function failed(code: string, message: string): Asking {
  return { ok: false, code, message };
}
