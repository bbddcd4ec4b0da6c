/**
 * Versions of what the edge shows: the twin store orders what is wanted and what is reported, each for
 * itself; a watch needs one order over both. Lives as long as the process: versions start from the clock, so
 * that one from before a restart is recognized as too old.
 */
import type { Kind, WantedResource } from '@limpet/dmi/manifest';
import type { Key, Reach } from '#protocol/api';

/** What is known of one object beside what it is. */
export interface Mark {
  readonly kind: Kind;
  readonly key: Key;
  state: 'present' | 'deleted';
  version: number;
  created: number;
  /** Version at which its document last changed. */
  configured: number;
  /** Version at which a desired value was last placed. */
  ordered: number;
  /** The newest order seen. */
  rev: number;
  /** Its document, shared with the store; of a deleted object the last one, of a model without properties. */
  doc: WantedResource | undefined;
}

/** Deletions kept for watches that resume. The oldest goes first; who resumes from before it lists again. */
const MOST_DELETIONS = 1000;

export class Versions {
  readonly #marks = new Map<string, Mark>();
  readonly #listeners = new Set<() => void>();
  #deletions = 0;
  #version: number;
  #horizon: number;

  constructor(nowMs: number) {
    // Microseconds: a process that makes fewer than a million changes a second stays behind the next one.
    this.#version = Math.floor(nowMs) * 1000;
    this.#horizon = this.#version;
  }

  get version(): number {
    return this.#version;
  }

  /** Who resumes from before this has missed deletions. */
  get horizon(): number {
    return this.#horizon;
  }

  of(kind: Kind, key: Key): Mark | undefined {
    return this.#marks.get(`${kind} ${key}`);
  }

  present(kind: Kind): readonly Key[] {
    return [...this.#marks.values()]
      .filter((mark) => mark.kind === kind && mark.state === 'present')
      .map(({ key }) => key);
  }

  /** Its document is new or changed. */
  configured(kind: Kind, key: Key, doc?: WantedResource): void {
    const mark = this.#advance(kind, key);
    mark.configured = mark.version;
    mark.doc = doc;
    this.#tell();
  }

  /** Its status changed. `rev`: of the order it now has. */
  touched(kind: Kind, key: Key, rev = 0): void {
    const mark = this.#advance(kind, key);
    if (rev > mark.rev) {
      mark.rev = rev;
      mark.ordered = mark.version;
    }
    this.#tell();
  }

  deleted(kind: Kind, key: Key): void {
    if (this.of(kind, key)?.state !== 'present') return;
    const mark = this.#advance(kind, key);
    mark.state = 'deleted';
    mark.doc = mark.doc && bare(mark.doc);
    this.#deletions += 1;
    if (this.#deletions > MOST_DELETIONS) this.#forgetOldest();
    this.#tell();
  }

  /** Those with a version above `since`, in order of version. */
  changed(reach: Reach, since: number): readonly Mark[] {
    return [...this.#marks.values()]
      .filter((mark) => mark.version > since && concerns(reach, mark))
      .toSorted((a, b) => a.version - b.version);
  }

  /** Called after each change. Returns the way to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #advance(kind: Kind, key: Key): Mark {
    this.#version += 1;
    const version = this.#version;
    const known = this.of(kind, key);
    if (known?.state === 'present') {
      known.version = version;
      return known;
    }
    if (known !== undefined) this.#deletions -= 1;
    const fresh = { created: version, configured: version, ordered: version, rev: 0 };
    const mark: Mark = { kind, key, state: 'present', version, ...fresh, doc: undefined };
    this.#marks.set(`${kind} ${key}`, mark);
    return mark;
  }

  #forgetOldest(): void {
    let oldest: Mark | undefined;
    for (const mark of this.#marks.values()) {
      if (mark.state !== 'deleted') continue;
      if (oldest === undefined || mark.version < oldest.version) oldest = mark;
    }
    if (oldest === undefined) return;
    this.#marks.delete(`${oldest.kind} ${oldest.key}`);
    this.#horizon = Math.max(this.#horizon, oldest.version);
    this.#deletions -= 1;
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** What tells who it was: of a model its properties are nearly all there is. */
function bare(doc: WantedResource): WantedResource {
  return doc.kind === 'DeviceModel' ? { ...doc, spec: { ...doc.spec, properties: [] } } : doc;
}

function concerns({ kind, namespace, name }: Reach, mark: Mark): boolean {
  if (mark.kind !== kind) return false;
  if (namespace !== undefined && !mark.key.startsWith(`${namespace}/`)) return false;
  return name === undefined || mark.key.slice(mark.key.indexOf('/') + 1) === name;
}
