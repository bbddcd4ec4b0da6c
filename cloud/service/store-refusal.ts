/** What users are told when the store does not do what they asked. */
import { ApiError, tooManyRequests } from '#protocol/api';
import { StoreFailed } from './store/errors.ts';

/** Undefined: it is not the store that failed. */
export function storeRefusal(error: unknown): ApiError | undefined {
  if (!(error instanceof StoreFailed)) return undefined;
  const { code, message } = error;
  if (code === 'STORE_BUSY') return tooManyRequests(message, 1);
  const passing = code === 'STORE_CLOSED' || code === 'STORE_AWAY';
  const reason = passing ? 'ServiceUnavailable' : 'InternalError';
  return new ApiError(reason, message, {}, { cause: error });
}
