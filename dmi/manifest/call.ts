/**
 * A call of a method: what goes in and comes out, and where it stopped when it did not succeed. A call is never
 * stored and never repeated: it is answered, or fails.
 */
import type { Json } from '../value.ts';
import { suggestion } from './nearest.ts';
import type { DeviceModel, Method } from './resource.ts';
import { checkValue } from './value-check.ts';

/** The ceilings of a call: all its input, or all its output, in bytes as JSON; and how long it may take. */
export const MAX_CALL_BYTES = 262_144;
export const CALL_TIMEOUT_MS = 10_000;
export const MAX_CALL_TIMEOUT_MS = 60_000;

/** Values by the names of the arguments. */
export type Arguments = { readonly [name: string]: Json };

/** How far a call came that did not succeed. */
export interface CallFailure {
  readonly ok: false;
  /** `cloud`: it did not reach the node. `edge`: it did not reach the device. `device`: what that, or its mapper, says. */
  readonly at: 'cloud' | 'edge' | 'device';
  readonly code: string;
  readonly message: string;
  /** Whether the device has carried it out. `maybe`: nobody can know. */
  readonly ran: 'no' | 'maybe' | 'yes';
  /** Faults of the input, each with its argument. */
  readonly faults?: readonly ArgumentFault[];
}

export type CallOutcome = { readonly ok: true; readonly output: Arguments } | CallFailure;

/** One thing that is wrong with the input of a call. */
export interface ArgumentFault {
  readonly argument: string;
  readonly code: string;
  readonly message: string;
}

/** Runs a method of a device, and says how that ended; rejects only for a bug. */
export type CallDoor = (
  device: string,
  asked: { readonly method: string; readonly input: unknown; readonly timeoutMs: number },
  signal: AbortSignal,
) => Promise<CallOutcome>;

export type CheckedCall =
  | { readonly ok: true; readonly method: Method; readonly input: readonly Json[] }
  | CallFailure;

/**
 * Whether `model` has the method and takes this input: an object with each declared argument and no others. Values come
 * back in their one JSON form, in the order of the declaration; `at` is where the check is made.
 */
export function checkCall(
  model: DeviceModel,
  asked: { readonly method: string; readonly input: unknown },
  at: CallFailure['at'],
): CheckedCall {
  const { methods = [] } = model.spec;
  const method = methods.find(({ name }) => name === asked.method);
  if (method === undefined) {
    const names = methods.map(({ name }) => name);
    const has = names.length === 0 ? ', and no others: it has none' : '';
    const message = `model "${model.metadata.name}" has no method "${asked.method.slice(0, 80)}"${has}.${suggestion(asked.method, names)}`;
    return { ok: false, at, code: 'METHOD_UNKNOWN', message, ran: 'no' };
  }
  const given = objectOf(asked.input);
  if (given === undefined) {
    const message = 'the input must be an object of arguments and their values';
    return { ok: false, at, code: 'INPUT_INVALID', message, ran: 'no' };
  }
  const { input, faults } = checkArguments(method, given);
  if (faults.length === 0) {
    if (Buffer.byteLength(JSON.stringify(input)) <= MAX_CALL_BYTES) {
      return { ok: true, method, input };
    }
    const message = `the input of "${method.name}" must be at most ${MAX_CALL_BYTES} bytes as JSON`;
    return { ok: false, at, code: 'VALUE_TOO_LARGE', message, ran: 'no' };
  }
  const told = faults.map(({ message }) => message).join(' ');
  const code = faults.length === 1 ? (faults[0] as ArgumentFault).code : 'INPUT_INVALID';
  const message = `the input of "${method.name}" is wrong: ${told}`;
  return { ok: false, at, code, message, ran: 'no', faults };
}

const MAX_FAULTS = 20;
/** Arguments that a message names: it is told for each fault. */
const MAX_NAMED = 10;

function checkArguments(
  method: Method,
  given: ReadonlyMap<string, unknown>,
): { readonly input: readonly Json[]; readonly faults: readonly ArgumentFault[] } {
  const declared = method.input ?? [];
  const faults: ArgumentFault[] = [];
  const input: Json[] = [];
  const fault = (argument: string, code: string, message: string): void => {
    if (faults.length < MAX_FAULTS) faults.push({ argument: argument.slice(0, 80), code, message });
  };
  for (const argument of declared) {
    const { name, type } = argument;
    const checked = given.has(name) ? checkValue(argument, given.get(name)) : undefined;
    if (checked?.ok === true) input.push(checked.value);
    else if (checked !== undefined) fault(name, checked.code, checked.message);
    else fault(name, 'ARGUMENT_MISSING', `"${name}" (${type}) is missing: give it a value.`);
  }
  const names = declared.map(({ name }) => name);
  const some = names.slice(0, MAX_NAMED).join(', ');
  const more = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : '';
  const known = names.length === 0 ? 'it takes none' : `it takes ${some}${more}`;
  for (const name of given.keys()) {
    if (names.includes(name)) continue;
    const message = `"${name.slice(0, 80)}" is no argument of this method; ${known}.${suggestion(name, names)}`;
    fault(name, 'ARGUMENT_UNKNOWN', message);
  }
  return { input, faults };
}

function objectOf(input: unknown): ReadonlyMap<string, unknown> | undefined {
  if (input === undefined) return new Map();
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return undefined;
  return new Map(Object.entries(input));
}
