/** Whether what a mapper's `connect` gave is a connection, as far as can be seen without calling it (pure). */
import { Refused } from '@limpet/dmi';

const METHODS = ['read', 'write', 'close'] as const;
const OPTIONAL = ['subscribe', 'call', 'writeMany'] as const;

/** A method was carried out, and what it gave cannot be told: the one error after which the caller knows that it ran. */
export function unusableOutput(why: string): Refused {
  return new Refused(OUTPUT_UNUSABLE, `it was carried out, but its output cannot be told: ${why}`);
}

export const OUTPUT_UNUSABLE = 'OUTPUT_UNUSABLE';

/** @throws Error a fault of the mapper, which names what is missing */
export function checkConnection(candidate: unknown): void {
  if (typeof candidate !== 'object' || candidate === null) {
    throw mapperFault('connect gave no connection: an object with read, write and close');
  }
  const has = candidate as Readonly<Record<string, unknown>>;
  const missing = METHODS.filter((name) => typeof has[name] !== 'function');
  for (const name of OPTIONAL) {
    if (has[name] === undefined || typeof has[name] === 'function') continue;
    throw mapperFault(`"${name}" of its connection must be a function, or left out`);
  }
  if (missing.length === 0) return;
  throw mapperFault(`its connection lacks ${missing.join(', ')}: each must be a function`);
}

/** What a mapper does wrong, and we notice: where that is in our files is of no use to its author. */
export function mapperFault(message: string): Error {
  const fault = new Error(message);
  fault.stack = message;
  return fault;
}
