/** The cloud's store: tables over one SQLite database, changed only by group commit. */
import type { Clock, Log } from '@limpet/dmi';
import { Deletions } from './deletions.ts';
import { DesiredValues } from './desired.ts';
import type { StoreFailed } from './errors.ts';
import { GroupCommit } from './group-commit.ts';
import { Line } from './line.ts';
import { Mirrors } from './mirrors.ts';
import { Nodes } from './nodes.ts';
import { Objects } from './objects.ts';
import { type OpenDatabase, openDatabase } from './open.ts';
import { Owners } from './owners.ts';
import { Tombstones } from './tombstones.ts';
import { type Changed, Touched } from './touched.ts';
import { View } from './view.ts';
import { Wanted } from './wanted.ts';
import { WantedStream } from './wanted-stream.ts';

export interface StoreOptions {
  /** A file, or `:memory:`. */
  readonly path: string;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
  readonly log: Log;
  /** Runs a task after everything that is ready now. Default `setImmediate`. */
  readonly soon?: (task: () => void) => void;
}

/**
 * Reads see only what is committed, between turns. Changes go through {@link CloudStore.commit}: the parts are
 * changed only inside its work, and their changes are told to listeners in the turn that committed them.
 */
export class CloudStore {
  readonly commit: GroupCommit;
  readonly line: Line;
  readonly objects: Objects;
  readonly deletions: Deletions;
  readonly desired: DesiredValues;
  readonly mirrors: Mirrors;
  readonly nodes: Nodes;
  readonly tombstones: Tombstones;
  readonly wanted: Wanted;
  readonly stream: WantedStream;
  readonly view: View;
  readonly now: () => number;
  readonly #opened: OpenDatabase;
  readonly #log: Log;
  readonly #touched = new Touched();
  readonly #listeners = new Set<(changed: Changed) => void>();
  #failing: string | undefined;
  #version: number;

  /** @throws StoreUnusable saying what to do. */
  static open(options: StoreOptions): CloudStore {
    return new CloudStore(openDatabase(options.path), options);
  }

  private constructor(opened: OpenDatabase, options: StoreOptions) {
    const { db } = opened;
    const { clock, log, soon = (task) => setImmediate(task) } = options;
    const now = () => clock.now();
    this.#opened = opened;
    this.#log = log;
    this.now = now;
    this.line = new Line(db, now);
    this.objects = new Objects(db);
    this.deletions = new Deletions(db);
    this.desired = new DesiredValues(db);
    this.mirrors = new Mirrors(db);
    this.nodes = new Nodes(db);
    const owners = new Owners(db);
    this.tombstones = new Tombstones(db);
    this.wanted = new Wanted({
      now,
      line: this.line,
      objects: this.objects,
      deletions: this.deletions,
      desired: this.desired,
      mirrors: this.mirrors,
      owners,
      tombstones: this.tombstones,
      touched: this.#touched,
    });
    this.stream = new WantedStream(db, this.objects, this.desired);
    this.view = new View(db, this.deletions);
    this.#version = this.line.last();
    this.commit = new GroupCommit(db, {
      clock,
      soon,
      beforeCommit: () => this.line.save(),
      afterCommit: () => this.#tell(),
      outcome: (failure) => this.#outcome(failure),
    });
  }

  /** The version up to which listeners have been told of everything. */
  version(): number {
    return this.#version;
  }

  /** Told after each commit, in the same turn. Returns the way to stop. */
  onChange(listener: (changed: Changed) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Why the last transaction failed; undefined when it did not. */
  failing(): string | undefined {
    return this.#failing;
  }

  close(): void {
    this.commit.close();
    this.#opened.close();
  }

  #tell(): void {
    this.#version = this.line.last();
    const changed = this.#touched.take();
    if (changed.resources.length === 0 && changed.nodes !== 'all' && changed.nodes.size === 0) {
      return;
    }
    for (const listener of this.#listeners) listener(changed);
  }

  #outcome(failure: StoreFailed | undefined): void {
    if (failure) {
      this.line.unsaved();
      this.#touched.take();
    }
    if (failure?.code === this.#failing) return;
    if (failure) {
      const { code, message } = failure;
      this.#log.error('store refuses writes', { code, reason: message });
    } else {
      this.#log.info('store writes again', { after: this.#failing });
    }
    this.#failing = failure?.code;
  }
}
