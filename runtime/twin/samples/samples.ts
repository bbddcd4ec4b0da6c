/**
 * History on the edge: every report of a property that its model wants kept becomes a sample, and every interval of
 * which there is none becomes a gap with its cause. Loaded only when a model asks for it.
 *
 * Invariant: what happened up to `alive` is in the file; what came later is in memory, and when it is lost with the
 * process the next start finds a gap from `alive` on.
 */
import { type Clock, type Log } from '@limpet/dmi';
import { type Id, type PastCursor, type PastPage } from '@limpet/dmi/manifest';
import { type Metered } from '../metered.ts';
import { type Change, type TwinStore } from '../store.ts';
import { Backlog } from './backlog.ts';
import { used } from './make-room.ts';
import { readGaps, readSamples, sampleBefore, type SamplesPage } from './read.ts';
import { type Live, Roster } from './roster.ts';
import { isDamaged, isRefusal, removeFile, SamplesFile } from './samples-file.ts';
import { pageAfter } from './told.ts';
import { due, type GapCause, type Heard, released, type Sample } from './track.ts';

export interface SamplesOptions {
  readonly path: string;
  readonly store: TwinStore;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  /** The disk is nearly full: nothing is written. */
  readonly low: () => boolean;
  readonly metered: Metered;
  readonly clock: Clock;
  readonly log: Log;
  /** There may be something new to tell. */
  readonly written?: () => void;
  /** What waits in memory, in bytes. Default 1 MiB. */
  readonly maxWaiting?: number;
}

/** One answer about a property's past. Of the gaps, at most the newest 1,000. */
export interface History extends SamplesPage {
  readonly gaps: ReturnType<typeof readGaps>;
}

/** Bytes, but for the counts and ms. `heldMs`: from the oldest sample to now. `leftMs`: until the oldest must go. */
export interface SamplesFigures {
  readonly samples: number;
  readonly bytes: number;
  readonly waiting: number;
  readonly waitingPeak: number;
  readonly waitingMost: number;
  /** How often something waiting became a gap. */
  readonly givenUp: number;
  readonly heldMs: number;
  readonly leftMs?: number;
}

const FLUSH_MS = 10_000;
/** With nothing to write, the file is told this often that the edge was there. */
const ALIVE_MS = 60_000;
const WAITING_BYTES = 1_048_576;

export class Samples {
  readonly #options: SamplesOptions;
  readonly #maxWaiting: number;
  readonly #backlog = new Backlog();
  readonly #roster: Roster;
  readonly #startedMs: number;
  readonly #unlisten: () => void;
  #file: SamplesFile;
  #triedMs = Number.NEGATIVE_INFINITY;
  #writtenMs: number;
  #failing = false;
  #cancel: (() => void) | undefined;
  #peak = 0;
  #taken = 0;
  #givenUp = 0;

  /** @throws the system's error when the file cannot be opened */
  constructor(options: SamplesOptions) {
    this.#options = options;
    const { clock, store, maxAgeMs } = options;
    this.#maxWaiting = options.maxWaiting ?? WAITING_BYTES;
    const { file, damaged } = openFile(options);
    this.#file = file;
    this.#writtenMs = this.#startedMs = clock.monotonic();
    this.#roster = new Roster({
      store,
      file: () => this.#file,
      clock,
      alive: file.alive,
      keep: (live, outcome) => this.#keep(live, outcome),
    });
    this.#roster.begin(file.created ? undefined : 'down');
    if (damaged) {
      this.#backlog.clear();
      this.#roster.anew({ cause: 'damaged', from: clock.now() - maxAgeMs });
    }
    this.#unlisten = store.onChange((change) => this.#changed(change));
    this.#arm(0);
  }

  /** A page of a property's past; undefined when none was ever kept. */
  history(
    device: Id,
    property: string,
    page: { readonly since: number; readonly after?: number | undefined; readonly limit: number },
  ): History | undefined {
    // Whoever asks wants to see what was just read, but not to wear the disk out by asking.
    if (this.#options.clock.monotonic() - this.#triedMs > 1_000) this.flush();
    return this.#reading(({ db }) => {
      const series = this.#file.find(device, property)?.id;
      if (series === undefined) return undefined;
      const gaps = page.after === undefined ? readGaps(db, series, page.since) : [];
      return { ...readSamples(db, { series, ...page }), gaps };
    });
  }

  /** The last sample before a time; see `sampleBefore`. */
  before(device: Id, property: string, time: number): Sample | undefined {
    return this.#reading(({ db }) => {
      const series = this.#file.find(device, property)?.id;
      return series === undefined ? undefined : sampleBefore(db, series, time);
    });
  }

  /** What is in the file above a cursor; see `pageAfter`. Where the disk does not let it be read, nothing for now. */
  pageAfter(cursor: PastCursor | undefined, bytes: number): PastPage | undefined {
    try {
      return this.#reading(({ db }) => pageAfter(db, cursor, bytes));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#options.log.error('history cannot be read', { code: 'SAMPLES_NOT_READ', error });
      return undefined;
    }
  }

  /** Gives the memory of what waits back: by writing it or, where that cannot be, as gaps. Returns bytes. */
  shed(): number {
    const { bytes } = this.#backlog;
    this.flush();
    this.#giveUp('shed', 0);
    return bytes - this.#backlog.bytes;
  }

  figures(): SamplesFigures {
    return this.#reading(({ db }) => this.#figures(db));
  }

  /** What is found damaged while it is read is as lost as what is found so at a write. */
  #reading<T>(read: (file: SamplesFile) => T): T {
    try {
      return read(this.#file);
    } catch (error) {
      if (!isDamaged(error)) throw error;
      this.#renew(error);
      return read(this.#file);
    }
  }

  #figures(db: SamplesFile['db']): SamplesFigures {
    const { clock, maxBytes } = this.#options;
    const span = db.prepare('SELECT min(n) AS first, max(n) AS last FROM sample').get() as Span;
    const oldest = db.prepare('SELECT at FROM sample ORDER BY n LIMIT 1').pluck().get();
    const samples = span.last === null ? 0 : span.last - span.first + 1;
    const bytes = used(db);
    const perMs = this.#taken / Math.max(1, clock.monotonic() - this.#startedMs);
    const room = samples === 0 ? 0 : ((maxBytes - bytes) * samples) / bytes;
    return {
      samples,
      bytes,
      waiting: this.#backlog.bytes,
      waitingPeak: this.#peak,
      waitingMost: this.#maxWaiting,
      givenUp: this.#givenUp,
      heldMs: typeof oldest === 'number' ? Math.max(0, clock.now() - oldest) : 0,
      ...(perMs > 0 && samples > 0 && { leftMs: Math.max(0, room / perMs) }),
    };
  }

  /** Writes what waits now; what the disk refuses goes on waiting, up to the ceiling. */
  flush(): void {
    const { clock, low } = this.#options;
    this.#triedMs = clock.monotonic();
    if (this.#idle()) return;
    if (low()) return this.#failed('the disk is nearly full');
    try {
      this.#write();
    } catch (error) {
      if (isDamaged(error)) return this.#renew(error);
      if (!isRefusal(error)) throw error;
      this.#failed(error);
    }
  }

  close(): void {
    this.#unlisten();
    this.#cancel?.();
    for (const live of this.#roster.all()) this.#keep(live, released(live.track));
    this.flush();
    this.#file.close();
  }

  #arm(ms: number): void {
    this.#cancel?.();
    this.#cancel = this.#options.clock.after(ms, () => {
      this.#arm(FLUSH_MS);
      const now = this.#options.clock.now();
      for (const live of this.#roster.all()) {
        if (live.track.held) this.#keep(live, due(live.track, now));
      }
      this.flush();
    });
  }

  #idle(): boolean {
    const { rows, empty } = this.#roster;
    if (this.#backlog.size > 0 || rows.size > 0) return false;
    return (
      empty || (this.#triedMs - this.#writtenMs < ALIVE_MS && this.#roster.unsaved().length === 0)
    );
  }

  #write(): void {
    const unsaved = this.#roster.unsaved();
    this.#file.write({
      series: this.#roster.rows.values(),
      entries: this.#backlog.all(),
      opened: unsaved.flatMap(({ id, track }) => (track.open ? [[id, track.open] as const] : [])),
      alive: this.#options.clock.now(),
    });
    for (const live of unsaved) live.saved = true;
    this.#roster.rows.clear();
    this.#backlog.clear();
    this.#writtenMs = this.#triedMs;
    if (this.#failing) this.#options.log.info('history is written again');
    this.#failing = false;
    this.#options.written?.();
  }

  #failed(reason: unknown): void {
    if (!this.#failing) {
      const fields = { code: 'SAMPLES_NOT_WRITTEN', error: reason };
      this.#options.log.error(
        'history cannot be written: beyond its memory it becomes gaps',
        fields,
      );
    }
    this.#failing = true;
    this.#limit();
  }

  /** The file is of no use: a new one, in which each series begins with a gap as long as samples are kept. */
  #renew(error: unknown): void {
    const { path, log, clock, maxAgeMs } = this.#options;
    log.error('history was damaged, begun anew', { code: 'SAMPLES_DAMAGED', error });
    this.#file.close();
    removeFile(path);
    this.#file = new SamplesFile(this.#options);
    this.#backlog.clear();
    this.#roster.anew({ cause: 'damaged', from: clock.now() - maxAgeMs });
  }

  #changed(change: Change): void {
    switch (change.kind) {
      case 'property': {
        const live = this.#roster.get(change.device, change.property);
        if (live && change.what === 'reported') this.#roster.hear(live, change.twin.reported);
        return;
      }
      case 'resource': {
        const { size } = this.#roster.rows;
        if (change.type === 'Device') this.#roster.adopt(change.id);
        else this.#roster.adoptModel(change.id);
        // Which series there are is told to the file soon: of one that it does not know, no gap is known either.
        if (this.#roster.rows.size > size) this.#arm(0);
        return;
      }
      case 'device':
        return;
    }
  }

  #keep(live: Live, { track, gap, samples }: Heard): void {
    if (track.open !== live.track.open) live.saved = false;
    live.track = track;
    const series = live.id;
    if (gap) this.#backlog.add({ series, kind: 'gap', gap });
    for (const sample of samples) this.#backlog.add({ series, kind: 'sample', sample });
    this.#taken += samples.length;
    this.#peak = Math.max(this.#peak, this.#backlog.bytes);
    if (this.#backlog.bytes > this.#maxWaiting / 2) this.#limit();
  }

  /** Half full: written before its time. Full, for the disk takes nothing: the older half is given up. */
  #limit(): void {
    if (!this.#failing) this.flush();
    else if (this.#backlog.bytes > this.#maxWaiting) this.#giveUp('disk', this.#maxWaiting / 2);
  }

  #giveUp(cause: GapCause, bytes: number): void {
    if (this.#backlog.giveUp(cause, bytes) > 0) this.#givenUp++;
  }
}

type Span = { readonly first: number; readonly last: number | null };

function openFile(options: SamplesOptions): { file: SamplesFile; damaged: boolean } {
  try {
    return { file: new SamplesFile(options), damaged: false };
  } catch (error) {
    if (!isDamaged(error)) throw error;
    options.log.error('history was damaged, begun anew', { code: 'SAMPLES_DAMAGED', error });
    removeFile(options.path);
    return { file: new SamplesFile(options), damaged: true };
  }
}
