/**
 * What one watch has to say next: which keys are dirty, and what became of each since it was last shown.
 * Level-triggered: a key that changed a thousand times while the reader was slow is one entry here, and is
 * composed when the reader is ready. Knows no socket.
 *
 * Invariant: keys leave in the order of their latest version, so whoever resumes from the last version it
 * read has missed nothing.
 */
import { API_VERSION, type Kind, type Resource } from '@limpet/dmi/manifest';
import type { Backend, Changes, Key, Query, Sight } from './backend.ts';
import { selects } from './selector.ts';
import { expired } from './status.ts';

export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: Resource }
  | { readonly type: 'BOOKMARK'; readonly object: Bookmark };

/** Everything up to `resourceVersion` has been sent. */
export interface Bookmark {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: Kind;
  readonly metadata: { readonly resourceVersion: string };
}

export interface WatchEventsOptions {
  readonly backend: Backend;
  readonly query: Query;
  /** Continue after this version; without it, start with everything there is. */
  readonly since: number | undefined;
  /** Called when there may be something to take. */
  readonly wake: () => void;
}

/**
 * `perhaps`: it changed out of this watch's sight. Told that such an object is gone, a reader that never had
 * it loses nothing; not told, one that had it would keep a ghost.
 */
type Had = 'yes' | 'no' | 'perhaps';

export class WatchEvents {
  readonly #backend: Backend;
  readonly #query: Query;
  readonly #since: number | undefined;
  readonly #changes: Changes;
  readonly #dirty = new Set<Key>();
  /** Present objects that this watch has decided on: whether its reader has them. At most one per object. */
  readonly #decided = new Map<Key, boolean>();

  /** @throws ApiError Expired */
  constructor({ backend, query, since, wake }: WatchEventsOptions) {
    if (since !== undefined && since > backend.version()) {
      throw expired(
        `resourceVersion ${since} is ahead of the server's ${backend.version()}: it comes from another server, or this one was restored from an older copy; list again`,
      );
    }
    this.#backend = backend;
    this.#query = query;
    this.#since = since;
    this.#changes = backend.changes(query, since, (key) => {
      // Deleted first, so that it moves to the end: order of latest change.
      this.#dirty.delete(key);
      this.#dirty.add(key);
      wake();
    });
    // A change that came during the subscription is newer than the keys from before it.
    const early = [...this.#dirty];
    this.#dirty.clear();
    for (const key of [...this.#changes.keys, ...early]) {
      this.#dirty.delete(key);
      this.#dirty.add(key);
    }
  }

  /** The next event; `undefined` when the reader has everything. @throws ApiError Expired */
  take(): WatchEvent | undefined {
    for (const key of this.#dirty) {
      this.#dirty.delete(key);
      const event = this.#judge(key);
      if (event !== undefined) return event;
    }
    return undefined;
  }

  /** How far the reader is once everything is taken; `undefined` while something is not. */
  bookmark(): WatchEvent | undefined {
    if (this.#dirty.size > 0) return undefined;
    const metadata = { resourceVersion: String(this.#backend.version()) };
    const object = { apiVersion: API_VERSION, kind: this.#query.kind, metadata } as const;
    return { type: 'BOOKMARK', object };
  }

  stop(): void {
    this.#changes.stop();
    this.#dirty.clear();
    this.#decided.clear();
  }

  #judge(key: Key): WatchEvent | undefined {
    const sight = this.#backend.look(this.#query.kind, key);
    const had = this.#had(key, sight);
    if (sight === undefined) {
      if (had === 'no') return undefined;
      throw expired('a deletion is no longer kept for a reader this slow; list again');
    }
    const matches = selects(this.#query.selection, sight.resource);
    if (sight.state === 'deleted') {
      this.#decided.delete(key);
      return had === 'no' ? undefined : { type: 'DELETED', object: sight.resource };
    }
    this.#decided.set(key, matches);
    if (matches)
      return { type: this.#isNews(had, sight) ? 'ADDED' : 'MODIFIED', object: sight.resource };
    // To this reader, an object that stops matching is gone.
    return had === 'no' ? undefined : { type: 'DELETED', object: sight.resource };
  }

  #isNews(had: Had, { created }: Sight): boolean {
    return had === 'no' || (had === 'perhaps' && created > (this.#since ?? 0));
  }

  /** Whether the reader has this object: from this watch, or from what it read up to `since`. */
  #had(key: Key, sight: Sight | undefined): Had {
    const decided = this.#decided.get(key);
    if (decided !== undefined) return decided ? 'yes' : 'no';
    if (this.#since === undefined) return 'no';
    // Also when it was created since: the reader may have an earlier object of that name.
    if (sight === undefined || sight.configured > this.#since) return 'perhaps';
    return selects(this.#query.selection, sight.resource) ? 'yes' : 'no';
  }
}
