/**
 * Runs the methods of one device: each in a turn of its own at the port, once, and never later than its caller waits. A
 * device that is away is no reason to wait.
 */
import {
  type Clock,
  type Connection,
  type Json,
  Misconfigured,
  Unreachable,
  type Value,
} from '@limpet/dmi';
import {
  type CallDoor,
  type CallFailure,
  type CallOutcome,
  checkCall,
  type Id,
  MAX_CALL_BYTES,
  MAX_CALL_TIMEOUT_MS,
  type Method,
} from '@limpet/dmi/manifest';
import { CALL_TIMEOUT } from './ceiling.ts';
import { mapperFault, OUTPUT_UNUSABLE, unusableOutput } from './connection-shape.ts';
import { answer, toValue } from './convert.ts';
import { clipped, type PlannedMethod } from './plan.ts';
import { reactionTo, reasonOf } from './reaction.ts';
import { type Session } from './session.ts';
import { type Condition } from './store-door.ts';

export type CallAsked = Parameters<CallDoor>[1];

export interface CallerOptions {
  readonly device: Id;
  readonly clock: Clock;
  readonly session: () => Session | undefined;
  readonly condition: () => Condition | undefined;
}

/** Calls of one device at once, those that wait for their turn included. */
const MAX_CALLS = 16;

/** A call that has been looked at: what is run, and how far it got. */
interface Call {
  readonly planned: PlannedMethod;
  readonly input: readonly Value[];
  readonly session: Session;
  /** The mapper was asked. */
  begun: boolean;
}

export class Caller {
  readonly #options: CallerOptions;
  #running = 0;

  constructor(options: CallerOptions) {
    this.#options = options;
  }

  async call(asked: CallAsked, signal: AbortSignal): Promise<CallOutcome> {
    const prepared = this.#prepare(asked);
    if ('ok' in prepared) return prepared;
    const { clock } = this.#options;
    const timeoutMs = Math.min(asked.timeoutMs, MAX_CALL_TIMEOUT_MS);
    const patience = new AbortController();
    const cancel = clock.after(timeoutMs, () => patience.abort(late(timeoutMs)));
    const abort = (): void =>
      patience.abort(new Unreachable('CALL_CANCELLED', 'it was called off'));
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    this.#running += 1;
    try {
      return shown(prepared.planned.method, await run(prepared, patience.signal));
    } catch (error) {
      return failed(prepared, error);
    } finally {
      this.#running -= 1;
      cancel();
      signal.removeEventListener('abort', abort);
    }
  }

  #prepare(asked: CallAsked): Call | CallFailure {
    const { device } = this.#options;
    const session = this.#options.session();
    if (session?.connected !== true) return this.#away();
    const checked = checkCall(session.plan.model, asked, 'edge');
    if (!checked.ok) return checked;
    const { method, input } = checked;
    const planned = session.plan.methods.get(method.name) as PlannedMethod;
    if (this.#running >= MAX_CALLS) {
      const message = `${MAX_CALLS} calls of device ${device} are under way: wait for them`;
      return { ok: false, at: 'edge', code: 'CALL_BUSY', message, ran: 'no' };
    }
    const values = input.map((value, at) => toValue(method.input?.[at]?.type ?? 'json', value));
    return { planned, input: values, session, begun: false };
  }

  #away(): CallFailure {
    const { device, condition } = this.#options;
    const { state = 'connecting', reason } = condition() ?? {};
    // Between two states: it is about to be told.
    const now = state === 'online' ? 'connecting' : state;
    const why = reason === undefined ? '' : `: ${reason.message} (${reason.code})`;
    const message = `device ${device} is ${now}${why}`;
    return { ok: false, at: 'edge', code: `DEVICE_${now.toUpperCase()}`, message, ran: 'no' };
  }
}

function run(call: Call, patience: AbortSignal): Promise<readonly Value[]> {
  const { planned, input, session } = call;
  return session.callPatiently(patience, async (connection: Connection<unknown>, signal) => {
    if (connection.call === undefined) {
      throw new Misconfigured('METHOD_UNSERVED', 'its mapper takes no calls on this connection');
    }
    call.begun = true;
    const output: unknown = await connection.call(planned.visitor, input, signal);
    const expected = planned.method.output?.length ?? 0;
    if (Array.isArray(output) && output.length === expected) return output as Value[];
    throw mapperFault(`a call must answer with a list of its ${expected} outputs`);
  });
}

/** The outputs as JSON. @throws Refused OUTPUT_UNUSABLE */
function shown(method: Method, values: readonly Value[]): CallOutcome {
  const output: [string, Json][] = [];
  for (const [at, argument] of (method.output ?? []).entries()) {
    const said = answer(argument, { ok: true, value: values[at] as Value });
    if (!said.ok) throw unusableOutput(said.reason.message);
    output.push([argument.name, said.value]);
  }
  // fromEntries makes own members, whatever an argument is called.
  const told = Object.fromEntries(output);
  if (Buffer.byteLength(JSON.stringify(told)) <= MAX_CALL_BYTES) return { ok: true, output: told };
  throw unusableOutput(`more than ${MAX_CALL_BYTES} bytes as JSON`);
}

function failed({ begun }: Call, error: unknown): CallFailure {
  const { code, message } = clipped(reasonOf(error));
  if (!begun)
    return { ok: false, at: 'edge', code, message: `${message}; it was not begun`, ran: 'no' };
  return { ok: false, at: 'device', code, message, ran: ranAfter(error, code) };
}

function ranAfter(error: unknown, code: string): CallFailure['ran'] {
  if (code === OUTPUT_UNUSABLE) return 'yes';
  const reaction = reactionTo(error);
  return reaction === 'refused' || reaction === 'misconfigured' ? 'no' : 'maybe';
}

function late(ms: number): Unreachable {
  return new Unreachable(CALL_TIMEOUT, `no answer within ${ms / 1_000} s`);
}
