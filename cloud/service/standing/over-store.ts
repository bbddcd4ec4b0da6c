/** Standing queries over the cloud's store. */
import type { Clock, Log } from '@limpet/dmi';
import { ApiError, statusError } from '#protocol/api';
import { faultOf, QueryError } from '#protocol/query';
import { storeRefusal } from '../store-refusal.ts';
import type { CloudStore } from '../store/store.ts';
import { catalogs } from './catalog.ts';
import type { StandingReads } from './reads.ts';
import { ScanThread } from './scan-thread.ts';
import { Standings } from './standings.ts';

export function standingsOf(
  store: CloudStore,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Standings {
  const look: StandingReads['look'] = (work) => store.read(({ sql }) => work(sql));
  // PostgreSQL has other connections for what takes long.
  const thread = store.file === undefined ? undefined : new ScanThread(store.file);
  const scan: StandingReads['scan'] = async (work) => {
    if (thread === undefined) return look(work);
    const found = await work(thread);
    await store.durable();
    return found;
  };
  return new Standings({
    reads: { look, scan, catalog: catalogs(look) },
    clock,
    ...(thread && { closed: () => thread.close() }),
    onChange: (listener) => store.onChange(() => listener()),
    failure: (error, query) => failureOf(error, query, log),
  });
}

function failureOf(error: unknown, query: string, log: Log): ApiError {
  if (error instanceof QueryError) {
    const { reason, message, offset, length, line, column, suggestion } = faultOf(error, query);
    const place = { offset, length, line, column, ...(suggestion !== undefined && { suggestion }) };
    const causes = [{ field: 'query', reason, message, ...place }];
    return new ApiError('BadRequest', message, { causes }, { cause: error });
  }
  return storeRefusal(error) ?? statusError(error, log);
}
