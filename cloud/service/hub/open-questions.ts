/**
 * What one node has been sent and owes an answer to, over one conversation. Each ends with its answer, its time, its asker or
 * the conversation, whichever comes first; nothing of it is kept.
 */
import type { Clock } from '@limpet/dmi';

export interface Question<Answer> {
  readonly send: (id: number) => void;
  readonly withinMs: number;
  /** What it is answered with when nobody answers in time, or when the asker has gone. */
  readonly late: Answer;
  readonly cancelled: Answer;
  /** Nobody waits for it any more. */
  readonly givenUp?: (id: number) => void;
}

export class OpenQuestions<Answer> {
  readonly #after: Clock['after'];
  readonly #open = new Map<number, (answer: Answer) => void>();
  #last = 0;

  constructor(after: Clock['after']) {
    this.#after = after;
  }

  get size(): number {
    return this.#open.size;
  }

  async ask(question: Question<Answer>, signal: AbortSignal): Promise<Answer> {
    const { send, withinMs, late, cancelled, givenUp } = question;
    const id = ++this.#last;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.#open.set(id, resolve);
    const giveUp = (answer: Answer): void => {
      givenUp?.(id);
      resolve(answer);
    };
    const stopClock = this.#after(withinMs, () => giveUp(late));
    const gone = (): void => giveUp(cancelled);
    signal.addEventListener('abort', gone, { once: true });
    try {
      send(id);
      return await promise;
    } finally {
      this.#open.delete(id);
      stopClock();
      signal.removeEventListener('abort', gone);
    }
  }

  /** Whether somebody waits for it: what nobody waits for comes too late, and is no fault. */
  has(id: number): boolean {
    return this.#open.has(id);
  }

  answered(id: number, answer: Answer): void {
    this.#open.get(id)?.(answer);
  }

  /** The conversation is over. */
  end(answer: Answer): void {
    for (const resolve of this.#open.values()) resolve(answer);
  }
}

/** Why a node cannot be asked. `lastSeen` in ms since 1970. */
export function away(node: string, lastSeen: number | undefined): string {
  const seen =
    lastSeen === undefined
      ? 'it was never seen here'
      : `it was last seen ${new Date(lastSeen).toISOString()}`;
  return `node "${node}" is not connected; ${seen}`;
}
