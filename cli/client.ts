/** From options to a client, and from its errors to sentences. */
import process from 'node:process';
import { ApiClient } from '../cloud/protocol/api/client.ts';
import type { Api } from './api.ts';
import { explainAt, placeOf, readFileOf, readToken, socketOf } from './target.ts';
import type { AskOptions } from './verbs/verb.ts';

/** Runs `task` with a client of the place that the options name. */
export async function withApi<Result>(
  options: AskOptions,
  task: (api: Api) => Promise<Result>,
): Promise<Result> {
  const place = placeOf(options, process.env);
  const client =
    place.kind === 'edge'
      ? new ApiClient({ socketPath: await socketOf(place.path) })
      : new ApiClient({
          url: place.url,
          ...(place.tokenFile !== undefined && { token: readToken(place.tokenFile) }),
          ...(place.ca !== undefined && { ca: readFileOf('--ca', place.ca) }),
        });
  try {
    return await task(client);
  } catch (error) {
    throw explainAt(error, place);
  }
}
