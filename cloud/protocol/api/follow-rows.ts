/**
 * Follows a standing query over any number of connections: comes back with its cursor, and where the server has forgotten it,
 * compares. Whoever reads the steps sees each change once, whatever became of the connections.
 */
import { HeldRows, type RowChange } from './held-rows.ts';
import type { StandingAsked, StandingEvent } from './standing.ts';
import { errorOfStatus } from './status.ts';

/**
 * `rows`: what changed, possibly nothing; `level`: with it `held` has all there is. `lost`: the connection, which is tried
 * again.
 */
export type RowsStep =
  | { readonly kind: 'rows'; readonly changes: readonly RowChange[]; readonly level: boolean }
  | { readonly kind: 'lost'; readonly error: unknown };

export interface FollowOptions {
  readonly signal: AbortSignal;
  /** Resolves after so many ms, or when the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Rows that are known already, with their cursor. */
  readonly held?: HeldRows;
}

export interface StandingSource {
  standing(asked: StandingAsked, signal: AbortSignal): AsyncIterable<StandingEvent>;
}

const SHORTEST_MS = 250;
const LONGEST_MS = 5_000;

/** Ends when the signal aborts. @throws ApiError when the server says no; a first connection that fails throws, too. */
export async function* followRows(
  source: StandingSource,
  query: string,
  { signal, sleep, held = new HeldRows() }: FollowOptions,
): AsyncGenerator<RowsStep, void, void> {
  let delay = SHORTEST_MS;
  let heard = false;
  while (!signal.aborted) {
    let error: unknown = new Error('the server ended the connection');
    try {
      for await (const event of source.standing({ query, cursor: held.cursor }, signal)) {
        if (event.type === 'error') throw errorOfStatus(event.status, 500);
        [heard, delay] = [true, SHORTEST_MS];
        const changes = held.take(event);
        const level = event.type === 'bookmark';
        if (level || changes.length > 0) yield { kind: 'rows', changes, level };
      }
    } catch (caught) {
      if (!signal.aborted && (!heard || isRefusal(caught))) throw caught;
      error = caught;
    }
    if (signal.aborted) return;
    yield { kind: 'lost', error };
    await sleep(delay, signal);
    delay = Math.min(delay * 2, LONGEST_MS);
  }
}

/** The server said no, and would again. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error) || error.name !== 'ApiError') return false;
  const { code } = error as { code?: unknown };
  return typeof code === 'number' && code < 500 && code !== 429 && code !== 409;
}
