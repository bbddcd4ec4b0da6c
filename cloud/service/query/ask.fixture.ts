/** Asks a store's query engine, as tests do. */
import type { CloudStore } from '../store/store.ts';
import { QueryEngine } from './engine.ts';

/** Resolves with the rows of the answer; of another kind of answer, with that. */
export function askerOf(
  store: Pick<CloudStore, 'read'>,
  now: () => number,
): (query: string) => Promise<unknown> {
  const engine = new QueryEngine({
    read: (work) => store.read(({ sql }) => work(sql)),
    now,
    monotonic: () => 0,
    costCeiling: 1e6,
    slowMs: Infinity,
  });
  return async (query) => {
    const { answer } = await engine.answer({ query });
    return answer.kind === 'QueryResult' ? answer.rows : answer;
  };
}
