/** Calls that the cloud relays: run while the conversation lasts, answered once, kept nowhere. */
import type { CallDoor, CallFailure } from '@limpet/dmi/manifest';
import type { FromCloud, FromEdge } from '#protocol';

type CallMessage = Extract<FromCloud, { readonly type: 'call' }>;

/** Under way at once; the cloud keeps to less. */
const MAX_CALLS = 64;

export class RelayedCalls {
  readonly #call: CallDoor;
  readonly #send: (message: FromEdge) => void;
  readonly #running = new Map<number, AbortController>();

  constructor(call: CallDoor, send: (message: FromEdge) => void) {
    this.#call = call;
    this.#send = send;
  }

  /** Never rejects: its answer says what went wrong. */
  async call({ id, device, method, input, ttl }: CallMessage): Promise<void> {
    if (this.#running.size >= MAX_CALLS) {
      const outcome = refusal('CALL_BUSY', `${MAX_CALLS} calls are under way on this node`, 'no');
      return this.#send({ type: 'called', id, outcome });
    }
    const end = new AbortController();
    this.#running.set(id, end);
    try {
      const asked = { method, input, timeoutMs: ttl };
      const outcome = await this.#call(device, asked, end.signal);
      if (!end.signal.aborted) this.#send({ type: 'called', id, outcome });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const outcome = refusal('CALL_FAULT', `a fault of Limpet, please report it: ${why}`, 'maybe');
      this.#send({ type: 'called', id, outcome });
    } finally {
      this.#running.delete(id);
    }
  }

  /** Nobody waits for it any more. */
  cancel(id: number): void {
    this.#running.get(id)?.abort(new Error('called off'));
  }

  /** The conversation is over, and with it everybody who waits. */
  end(): void {
    for (const end of this.#running.values()) end.abort(new Error('the cloud is gone'));
  }
}

function refusal(code: string, message: string, ran: CallFailure['ran']): CallFailure {
  return { ok: false, at: 'edge', code, message, ran };
}
