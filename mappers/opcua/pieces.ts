/** Long lists in calls that a server takes: what it announces is a start, what it refuses decides. */
import { Unreachable } from '@limpet/dmi';
import type { Status } from './status.ts';

/** One call was too much at once; with fewer it may go well. */
const TOO_MANY = 'BadTooManyOperations';
const TOO_LARGE = new Set([
  'BadResponseTooLarge',
  'BadRequestTooLarge',
  'BadTcpMessageTooLarge',
  'BadEncodingLimitsExceeded',
]);

export interface Calls<Item, Answer> {
  /** How many one call may have at most, as far as is known by now. */
  readonly most: () => number;
  /** The server took so few only, whatever it says. */
  readonly fewer: (count: number) => void;
  readonly ask: (some: readonly Item[]) => Promise<readonly Answer[]>;
  /** For one that is too large by itself. */
  readonly alone: (status: Status) => Answer;
}

/** An answer for each item, in their order. @throws what `ask` throws, unless fewer at once may help */
export async function inPieces<Item, Answer>(
  items: readonly Item[],
  { most, fewer, ask, alone }: Calls<Item, Answer>,
): Promise<Answer[]> {
  const all: Answer[] = [];
  let count = most();
  while (all.length < items.length) {
    const some = items.slice(all.length, all.length + count);
    try {
      for (const answer of await ask(some)) all.push(answer);
      count = most();
    } catch (error) {
      const status = tooMuch(error);
      if (status === undefined) throw error;
      if (some.length > 1) {
        count = Math.ceil(some.length / 2);
        if (status.name === TOO_MANY) fewer(count);
      } else {
        all.push(alone(status));
        count = most();
      }
    }
  }
  return all;
}

/** The status of a refusal that smaller calls may get round. */
export function tooMuch(error: unknown): Status | undefined {
  const { status } = error as { readonly status?: Status };
  if (status === undefined) return undefined;
  return status.name === TOO_MANY || TOO_LARGE.has(status.name) ? status : undefined;
}

/** Lists of at most so many. */
export function* pieces<T>(items: readonly T[], most: number): Generator<T[]> {
  for (let at = 0; at < items.length; at += most) yield items.slice(at, at + most);
}

/** @throws Unreachable OPCUA_ANSWER when the server does not answer each of what it was asked */
export function complete<T>(results: T[] | null, count: number, service: string): T[] {
  if (results?.length === count) return results;
  throw new Unreachable(
    'OPCUA_ANSWER',
    `${service}: the server answered ${results?.length ?? 0} of ${count}; it breaks the protocol`,
  );
}
