/** The cloud's store: tables over one database, changed only by group commit. */
import type { Clock, Log } from '@limpet/dmi';
import { beginHistory, endHistory } from '../history/begin.ts';
import { Past, type PastOptions } from '../history/past.ts';
import type { Retention } from '../history/slices.ts';
import { Declared } from './declared.ts';
import { Deletions } from './deletions.ts';
import { DesiredValues } from './desired.ts';
import type { StoreFailed } from './errors.ts';
import { openEngine } from './engine.ts';
import { Fit } from './fit.ts';
import { GroupCommit } from './group-commit.ts';
import { Line } from './line.ts';
import { Mirrors } from './mirrors.ts';
import { Names } from './names.ts';
import { Nodes } from './nodes.ts';
import { Objects } from './objects.ts';
import type { Target } from './postgres/target.ts';
import { Rollouts } from './rollouts.ts';
import type { Engine, Sql, Writer } from './sql.ts';
import { Tombstones } from './tombstones.ts';
import { type Changed, Touched } from './touched.ts';
import { View } from './view.ts';
import { Wanted } from './wanted.ts';
import { WantedStream } from './wanted-stream.ts';

export interface StoreOptions {
  /** A file of SQLite, or a database of PostgreSQL. */
  readonly path: string | Target;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
  readonly log: Log;
  /** How much of the past is kept; without it, none. */
  readonly history?: Retention | undefined;
  /** Runs a task after everything that is ready now. Default `setImmediate`. */
  readonly soon?: (task: () => void) => void;
}

/** The tables inside a transaction. */
export interface Writing {
  readonly now: () => number;
  readonly line: Line;
  readonly names: Names;
  readonly objects: Objects;
  readonly declared: Declared;
  readonly deletions: Deletions;
  readonly desired: DesiredValues;
  readonly mirrors: Mirrors;
  readonly nodes: Nodes;
  readonly tombstones: Tombstones;
  readonly rollouts: Rollouts;
  readonly wanted: Wanted;
  readonly view: View;
  /** Where history is kept. */
  readonly past: Past | undefined;
}

/** The tables as committed, all as of one moment. */
export interface Reading {
  readonly sql: Sql;
  readonly names: Names;
  readonly objects: Objects;
  readonly desired: DesiredValues;
  readonly mirrors: Mirrors;
  readonly nodes: Nodes;
  readonly rollouts: Rollouts;
  readonly stream: WantedStream;
  readonly view: View;
}

interface Parts {
  readonly engine: Engine;
  readonly lost: Promise<StoreFailed>;
  readonly touched: Touched;
  readonly writing: Writing;
}

/**
 * Whoever reads is answered with what is on the disk. Changes go through {@link CloudStore.commit}, and are told to listeners
 * once they are there: a reader may hear of them a little earlier.
 */
export class CloudStore {
  readonly commit: GroupCommit<Writing>;
  readonly now: () => number;
  /** Of SQLite, for whoever reads it beside the store. */
  readonly file: string | undefined;
  /** Resolves when nothing can be written any more before the store is opened anew: the process should end. */
  readonly lost: Promise<StoreFailed>;
  readonly #engine: Engine;
  readonly #writing: Writing;
  readonly #log: Log;
  readonly #touched: Touched;
  readonly #listeners = new Set<(changed: Changed) => void>();
  #failing: string | undefined;
  #version: number;
  #reading = 0;

  /** @throws StoreUnusable saying what to do. */
  static async open(options: StoreOptions): Promise<CloudStore> {
    const { promise: lost, resolve } = Promise.withResolvers<StoreFailed>();
    let mended: (() => void) | undefined;
    const engine = await openEngine({ ...options, lost: resolve, back: () => mended?.() });
    try {
      const touched = new Touched();
      const writing = await writingOn(engine, touched, options);
      const store = new CloudStore({ engine, lost, touched, writing }, options);
      mended = () => {
        store.#mended();
        store.#tell();
      };
      return store;
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  private constructor(
    parts: Parts,
    { path, clock, log, soon = (task) => setImmediate(task) }: StoreOptions,
  ) {
    const { engine, lost, touched, writing } = parts;
    const { line, names, declared, deletions, tombstones, past } = writing;
    this.#engine = engine;
    this.lost = lost;
    this.#log = log;
    this.#touched = touched;
    this.#writing = writing;
    this.now = writing.now;
    this.file = typeof path === 'string' ? path : undefined;
    this.#version = line.last();
    this.commit = new GroupCommit({
      engine,
      tx: writing,
      clock,
      soon,
      beforeCommit: () => line.save(),
      afterCommit: () => this.#tell(),
      rolledBack: () => {
        for (const part of [names, declared, deletions, tombstones, past]) part?.unsure();
        line.unsaved();
      },
      outcome: (failure) => this.#outcome(failure),
    });
  }

  /** The version up to which listeners have been told of everything. */
  version(): number {
    return this.#version;
  }

  async read<T>(work: (reading: Reading) => Promise<T>): Promise<T> {
    this.#reading++;
    try {
      return await this.#engine.read((sql) => work(readingOn(sql, this.#writing.names)));
    } catch (error) {
      throw this.#engine.refusal(error) ?? error;
    } finally {
      this.#reading--;
    }
  }

  /** Resolves when the disk has everything that readers can see by now: for whoever reads the file in another process. */
  durable(): Promise<void> {
    return this.#engine.durable();
  }

  /** A transaction or a read is under way. */
  get busy(): boolean {
    return this.commit.busy || this.#reading > 0;
  }

  /** Told after each commit. Returns the way to stop. */
  onChange(listener: (changed: Changed) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Why the last transaction failed; undefined when it did not, or what failed it is over. */
  failing(): string | undefined {
    return this.#failing;
  }

  async close(): Promise<void> {
    await this.commit.close();
    await this.#engine.close();
  }

  #tell(): void {
    this.#version = this.#writing.line.last();
    const changed = this.#touched.take();
    if (changed.resources.length === 0 && changed.nodes !== 'all' && changed.nodes.size === 0) {
      return;
    }
    for (const listener of this.#listeners) listener(changed);
  }

  #outcome(failure: StoreFailed | undefined): void {
    if (failure) {
      this.#writing.line.unsaved();
      this.#touched.unsure();
    } else this.#writing.names.committed();
    if (!failure) this.#mended();
    else if (failure.code !== this.#failing) {
      const { code, message } = failure;
      this.#log.error('store refuses writes', { code, reason: message });
      this.#failing = code;
    }
  }

  #mended(): void {
    if (this.#failing === undefined) return;
    this.#log.info('store writes again', { after: this.#failing });
    this.#failing = undefined;
  }
}

async function writingOn(
  { writer }: Engine,
  touched: Touched,
  { clock, history, log }: StoreOptions,
): Promise<Writing> {
  const now = (): number => clock.now();
  const names = await Names.open(writer);
  const past = await pastOn(writer, { names, now, retention: history });
  const objects = new Objects(writer, past);
  const mirrors = new Mirrors(writer, names, past);
  const parts = {
    now,
    names,
    line: await Line.open(writer, now),
    past,
    objects,
    declared: new Declared(objects),
    deletions: new Deletions(writer),
    desired: new DesiredValues(writer, past),
    mirrors,
    nodes: new Nodes(writer, past),
    tombstones: new Tombstones(writer),
    rollouts: new Rollouts(writer),
    view: new View(writer),
  };
  const forgot = (node: string, rows: number): void =>
    log.warn('values that their models dropped are not kept aside', { node, rows });
  const fit = new Fit({ sql: writer, names, mirrors, forgot });
  return { ...parts, wanted: new Wanted({ ...parts, fit, touched }) };
}

/** Begins history where there was none, and ends it where none is wanted. */
async function pastOn(
  writer: Writer,
  parts: Omit<PastOptions, 'sql' | 'retention'> & { readonly retention: Retention | undefined },
): Promise<Past | undefined> {
  const { retention } = parts;
  await writer.begin();
  try {
    await (retention === undefined ? endHistory(writer) : beginHistory(writer, parts.now()));
    await writer.commit();
  } catch (error) {
    await writer.rollback();
    throw error;
  }
  return retention && Past.open({ ...parts, retention, sql: writer });
}

function readingOn(sql: Sql, names: Names): Reading {
  const objects = new Objects(sql);
  const desired = new DesiredValues(sql);
  return {
    sql,
    names,
    objects,
    desired,
    mirrors: new Mirrors(sql, names),
    nodes: new Nodes(sql),
    rollouts: new Rollouts(sql),
    stream: new WantedStream(sql, objects, desired),
    view: new View(sql),
  };
}
