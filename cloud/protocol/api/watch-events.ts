/**
 * What one watch has to say next: a cursor over the versions of a backend. The database is the event log: a
 * resource that changed a thousand times while the reader was slow is read once, as it then is. Knows no socket.
 *
 * Invariant: events leave in order of version, and a bookmark never runs ahead of them, so whoever resumes from
 * the last version it read has missed nothing.
 */
import { API_VERSION, type Kind, type Resource } from '@limpet/dmi/manifest';
import { type Backend, type Changes, type Key, keyOf, type Query, type Sight } from './backend.ts';
import { reachOf, selects } from './selector.ts';
import { expired } from './status.ts';

export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: Resource }
  | { readonly type: 'BOOKMARK'; readonly object: Bookmark };

/** Everything up to `resourceVersion` has been sent. */
export interface Bookmark {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: Kind;
  readonly metadata: {
    readonly resourceVersion: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

export interface WatchEventsOptions {
  readonly backend: Pick<Backend, 'changes'>;
  readonly query: Query;
  /** Continue after this version; without it, start with everything there is. */
  readonly since: number | undefined;
  /** Sights read at once, while the reader takes them all. */
  readonly most?: number;
}

const MOST_SIGHTS = 64;

/**
 * `perhaps`: it changed out of this watch's sight. Told that such an object is gone, a reader that never had
 * it loses nothing; not told, one that had it would keep a ghost.
 */
type Had = 'yes' | 'no' | 'perhaps';

export class WatchEvents {
  readonly #options: WatchEventsOptions;
  /** Present objects that this watch has decided on: whether its reader has them. At most one per object. */
  readonly #decided = new Map<Key, boolean>();
  /** Read and not yet taken: its first is the next event, or none. */
  #page: Sight[] = [];
  #taken = 0;
  /** Everything up to this version has been judged. */
  #cursor: number;
  /** Where the cursor stands once the page is taken. */
  #end: number;
  /** The reader has nothing that was deleted up to here. */
  #clean: number | undefined;
  #level: 'behind' | 'level' = 'behind';
  #limit: number;

  constructor(options: WatchEventsOptions) {
    this.#options = options;
    this.#clean = options.since;
    this.#cursor = options.since ?? 0;
    this.#end = this.#cursor;
    this.#limit = this.#most;
  }

  /** Whether there is more to read, beside what changes from now on. */
  get behind(): boolean {
    return this.#level === 'behind';
  }

  /** Reads what comes next; to be called when everything read has been taken. @throws ApiError Expired */
  async read(): Promise<void> {
    const { backend, query } = this.#options;
    const changes = await backend.changes(reachOf(query), this.#cursor, this.#limit);
    this.#refuseGap(changes);
    this.#clean ??= changes.version;
    const last = changes.sights.at(-1);
    this.#end = changes.more && last !== undefined ? versionOf(last) : changes.version;
    this.#level = changes.more ? 'behind' : 'level';
    this.#page = [...changes.sights];
    this.#taken = 0;
    this.#limit = Math.min(this.#limit * 2, this.#most);
  }

  /** The next event of those read; `undefined` when there is none (any more). */
  take(): WatchEvent | undefined {
    for (let sight = this.#page.shift(); sight !== undefined; sight = this.#page.shift()) {
      this.#taken += 1;
      this.#cursor = versionOf(sight);
      const event = this.#judge(sight);
      if (event !== undefined) return event;
    }
    this.#cursor = this.#end;
    return undefined;
  }

  /** The reader takes nothing for now: lets go of what was read, which may be another by the time it does. */
  release(): void {
    if (this.#page.length === 0) return;
    this.#page = [];
    this.#end = this.#cursor;
    this.#level = 'behind';
    this.#limit = Math.max(1, this.#taken);
  }

  /** How far the reader is; `undefined` while it has not been given everything. */
  bookmark(annotations?: Readonly<Record<string, string>>): WatchEvent | undefined {
    if (this.behind || this.#page.length > 0) return undefined;
    const metadata = {
      resourceVersion: String(this.#cursor),
      ...(annotations && { annotations }),
    };
    const object = { apiVersion: API_VERSION, kind: this.#options.query.kind, metadata } as const;
    return { type: 'BOOKMARK', object };
  }

  get #most(): number {
    return this.#options.most ?? MOST_SIGHTS;
  }

  #refuseGap({ version, forgotten }: Changes): void {
    const { since } = this.#options;
    if (since !== undefined && since > version) {
      throw expired(
        `resourceVersion ${since} is ahead of the server's ${version}: it comes from another server, or this one was restored from an older copy; list again`,
      );
    }
    const known = Math.max(this.#cursor, this.#clean ?? version);
    if (forgotten <= known) return;
    throw expired(
      `resourceVersion ${known} is too old: deletions since then are no longer all known; list again`,
    );
  }

  #judge(sight: Sight): WatchEvent | undefined {
    const { state, resource } = sight;
    const key = keyOf(resource.metadata);
    const had = this.#had(key, sight);
    if (state === 'deleted') {
      this.#decided.delete(key);
      return had === 'no' ? undefined : { type: 'DELETED', object: resource };
    }
    const matches = selects(this.#options.query.selection, resource);
    this.#decided.set(key, matches);
    if (matches) return { type: this.#isNews(had, sight) ? 'ADDED' : 'MODIFIED', object: resource };
    // To this reader, an object that stops matching is gone.
    return had === 'no' ? undefined : { type: 'DELETED', object: resource };
  }

  #isNews(had: Had, { created }: Sight): boolean {
    return had === 'no' || (had === 'perhaps' && created > (this.#options.since ?? 0));
  }

  /** Whether the reader has this object: from this watch, or from what it read up to `since`. */
  #had(key: Key, { configured, resource }: Sight): Had {
    const decided = this.#decided.get(key);
    if (decided !== undefined) return decided ? 'yes' : 'no';
    const { since, query } = this.#options;
    if (since === undefined) return 'no';
    // Also when it was created since: the reader may have an earlier object of that name.
    if (configured > since) return 'perhaps';
    return selects(query.selection, resource) ? 'yes' : 'no';
  }
}

function versionOf({ resource }: Sight): number {
  return Number(resource.metadata.resourceVersion);
}
