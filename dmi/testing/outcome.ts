/** How one call of the mapper ended, and what is insisted on. */
import { Garbled, Unreachable } from '../errors.ts';
import { Broken, Late } from './broken.ts';

/** How a call ended. `listeners`: what it left on its signal. */
export type Outcome<T> = {
  readonly aborted: boolean;
  readonly listeners: number;
  /** Of the mapper's time, until it ended or was aborted. */
  readonly tookMs: number;
  /** Of real time, from the abort to the end. */
  readonly afterAbortMs: number;
} & Ended<T>;

export type Ended<T> =
  | { readonly kind: 'value'; readonly value: T }
  | { readonly kind: 'error'; readonly error: unknown }
  | { readonly kind: 'hung' };

/** What an aborted call may take to end. */
const PROMPT_MS = 100;

/** The value of a call that had to succeed. */
export function value<T>(outcome: Outcome<T>, what: string): T {
  if (outcome.kind === 'value') return outcome.value;
  throw new Broken(`${what} ${say(outcome)}`);
}

/** Insists that a call was rejected by one of the errors that say the device is lost. */
export function lost(outcome: Outcome<unknown>, what: string, garbled: 'garbled-too' | 'no'): void {
  const right =
    outcome.kind === 'error' &&
    (outcome.aborted ||
      outcome.error instanceof Unreachable ||
      (garbled === 'garbled-too' && outcome.error instanceof Garbled));
  const wanted = garbled === 'no' ? 'Unreachable' : 'Unreachable or Garbled';
  if (!right) throw new Broken(`${what} must reject with ${wanted}; it ${say(outcome)}`);
}

/** Insists that a call, if it had to be aborted, ended within 100 ms of that. */
export function prompt(outcome: Outcome<unknown>, what: string): void {
  if (outcome.kind === 'hung') throw new Broken(`${what} ${say(outcome)}`);
  if (!outcome.aborted || outcome.afterAbortMs <= PROMPT_MS) return;
  const ms = Math.round(outcome.afterAbortMs);
  throw new Late(`${what} must end within ${PROMPT_MS} ms of its abort; it took ${ms} ms`);
}

/** How a call ended, in words. */
export function say(outcome: Ended<unknown>): string {
  if (outcome.kind === 'hung') return 'did not end, not even when its signal was aborted';
  if (outcome.kind === 'value') return 'succeeded';
  const { error } = outcome;
  return `rejected with ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`;
}
