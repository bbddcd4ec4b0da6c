/** What a service says of itself: health, readiness, metrics, and what its API is. */
import type { Answer } from './answer.ts';
import { discovery } from './discovery.ts';
import type { FrontCounts, FrontOptions } from './http.ts';
import { ApiError } from './status.ts';

/** Asked by probes, which have no token. */
export const OPEN: ReadonlySet<string> = new Set(['/healthz', '/readyz']);

interface OwnAsked {
  readonly answer: Answer;
  readonly counts: () => FrontCounts;
  /** The forms that the client understands. */
  readonly accept: string | undefined;
}

/** @throws ApiError NotFound; ServiceUnavailable with what is wrong */
export function answerOwn(
  path: string,
  { backend, metrics, ailment, unready, version }: FrontOptions,
  { answer, counts, accept }: OwnAsked,
): void {
  switch (path) {
    case '/metrics':
      if (metrics === undefined) throw new ApiError('NotFound', 'this service has no metrics');
      return answer.plain(200, metrics(counts()));
    case '/healthz':
      return wellUnless(ailment?.(), answer);
    case '/readyz':
      return wellUnless(ailment?.() ?? unready?.(), answer);
    default: {
      const found = discovery(path, { version, writes: backend.writes, accept });
      return answer.json(200, found.document, found.type);
    }
  }
}

function wellUnless(wrong: string | undefined, answer: Answer): void {
  if (wrong !== undefined) throw new ApiError('ServiceUnavailable', wrong);
  answer.plain(200, 'ok');
}
