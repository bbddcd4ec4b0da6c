/** Following resources over any number of connections: list, watch from there, and on any doubt list again. */
import type { Kind, Resource } from '@limpet/dmi/manifest';
import type { Api, Select } from './api.ts';

export interface Query extends Select {
  readonly kind: Kind;
}

export interface Seen {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: Resource;
}

/** `first`: the list after which single changes come. `lost` and `back`: the connection. */
export type Step =
  | { readonly kind: 'list'; readonly first: boolean; readonly changes: readonly Seen[] }
  | { readonly kind: 'change'; readonly change: Seen }
  | { readonly kind: 'lost'; readonly error: unknown };

const SHORTEST_MS = 250;
const LONGEST_MS = 5000;

/**
 * Yields until the signal aborts. What changed while the connection was away comes with the next list; what did
 * not change is not told again. A first connection that fails throws, as does a refusal: only a lost connection is retried.
 */
export async function* follow(
  api: Pick<Api, 'list' | 'watch'>,
  query: Query,
  { signal, sleep = pause }: { readonly signal: AbortSignal; readonly sleep?: typeof pause },
): AsyncGenerator<Step> {
  const known = new Map<string, Resource>();
  let delay = SHORTEST_MS;
  for (let first = true; !signal.aborted;) {
    try {
      const { kind, ...select } = query;
      const { items, resourceVersion } = await api.list(kind, select, signal);
      yield { kind: 'list', first, changes: merge(known, items) };
      first = false;
      for await (const event of api.watch(kind, { ...select, resourceVersion }, signal)) {
        delay = SHORTEST_MS;
        if (event.type === 'BOOKMARK') continue;
        const change = { type: event.type, object: event.object };
        remember(known, change);
        yield { kind: 'change', change };
      }
      if (signal.aborted) return;
      yield { kind: 'lost', error: new Error('the server ended the watch') };
    } catch (error) {
      if (signal.aborted) return;
      if (first || isRefusal(error)) throw error;
      yield { kind: 'lost', error };
    }
    await sleep(delay, signal);
    delay = Math.min(delay * 2, LONGEST_MS);
  }
}

/** The present resources, by key, and what changed against what was known. */
function merge(known: Map<string, Resource>, items: readonly Resource[]): Seen[] {
  const changes: Seen[] = [];
  const gone = new Map(known);
  for (const object of items) {
    const key = keyOf(object);
    const before = known.get(key);
    gone.delete(key);
    known.set(key, object);
    if (before === undefined) changes.push({ type: 'ADDED', object });
    else if (before.metadata.resourceVersion !== object.metadata.resourceVersion) {
      changes.push({ type: 'MODIFIED', object });
    }
  }
  for (const [key, object] of gone) {
    known.delete(key);
    changes.push({ type: 'DELETED', object });
  }
  return changes;
}

function remember(known: Map<string, Resource>, { type, object }: Seen): void {
  if (type === 'DELETED') known.delete(keyOf(object));
  else known.set(keyOf(object), object);
}

export function keyOf({ metadata }: Resource): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

/** The server answered and said no, and not because versions expired or it was short of breath. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error) || error.name !== 'ApiError') return false;
  const { code } = error as { code?: unknown };
  return typeof code === 'number' && code < 500 && code !== 410 && code !== 429;
}

/** Resolves after `ms`, or as soon as the signal aborts. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}
