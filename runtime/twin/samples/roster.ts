/** The series that are kept at present: as models say, begun with the gap since they were last kept, and ended. */
import { type Clock } from '@limpet/dmi';
import { duration, type Id, type Property, type Reported } from '@limpet/dmi/manifest';
import { type TwinStore } from '../store.ts';
import { type SamplesFile, type SeriesRow } from './samples-file.ts';
import {
  begin,
  type GapCause,
  heard,
  type Heard,
  type OpenGap,
  released,
  type Track,
} from './track.ts';

export interface Live {
  readonly id: number;
  readonly device: Id;
  readonly property: string;
  track: Track;
  /** The open gap is in the file. */
  saved: boolean;
}

export interface RosterOptions {
  readonly store: TwinStore;
  readonly file: () => SamplesFile;
  readonly clock: Clock;
  /** Up to when everything is in the file. */
  readonly alive: number;
  /** Takes what became of a report, or of an end. */
  readonly keep: (live: Live, outcome: Heard) => void;
}

export class Roster {
  /** Rows that the file does not have yet, or not so, by device and property. */
  readonly rows = new Map<string, SeriesRow>();
  readonly #options: RosterOptions;
  readonly #live = new Map<Id, Map<string, Live>>();
  #lastId: number;

  constructor(options: RosterOptions) {
    this.#options = options;
    this.#lastId = options.file().lastSeries;
  }

  get empty(): boolean {
    return this.#live.size === 0;
  }

  get(device: Id, property: string): Live | undefined {
    return this.#live.get(device)?.get(property);
  }

  *all(): Generator<Live> {
    for (const held of this.#live.values()) yield* held.values();
  }

  /** Those with a gap that goes on and that the file does not know. */
  unsaved(): readonly Live[] {
    return [...this.all()].filter(({ track, saved }) => track.open !== undefined && !saved);
  }

  /** At start. `cause`: why there is nothing since the file was last written, if there was a file. */
  begin(cause: GapCause | undefined): void {
    for (const device of this.#options.store.devices()) this.adopt(device, cause);
    for (const { open: _open, ...row } of this.#options.file().unended()) {
      if (this.get(row.device, row.property)) continue;
      this.rows.set(key(row), { ...row, ended: this.#options.alive });
    }
  }

  /** Begins and ends series as the device's model says now. */
  adopt(device: Id, cause?: GapCause): void {
    const held = this.#live.get(device) ?? new Map<string, Live>();
    const wanted = new Map<string, number>();
    for (const property of this.#options.store.modelOf(device)?.spec.properties ?? []) {
      const everyMs = everyOf(property);
      if (everyMs !== undefined) wanted.set(property.name, everyMs);
    }
    for (const [property, live] of held) {
      if (wanted.has(property)) continue;
      this.#end(live);
      held.delete(property);
    }
    if (wanted.size > 0) this.#live.set(device, held);
    else this.#live.delete(device);
    for (const [property, everyMs] of wanted) {
      const live = held.get(property);
      if (live) live.track = { ...live.track, everyMs };
      else this.#begin(held, { device, property }, { everyMs, cause });
    }
  }

  adoptModel(model: Id): void {
    const { store } = this.#options;
    for (const id of store.devices()) {
      const doc = store.device(id);
      if (`${doc?.metadata.namespace ?? 'default'}/${doc?.spec.model}` === model) this.adopt(id);
    }
  }

  /** The file is a new one: every series begins in it with a gap. */
  anew(open: OpenGap): void {
    for (const live of this.all()) {
      this.rows.set(key(live), rowOf(live, null));
      live.track = { ...live.track, open };
      live.saved = false;
      this.hear(live, this.#reported(live));
    }
  }

  /** What the device said last, or says now. */
  hear(live: Live, reported: Reported<number> | undefined): void {
    if (reported === undefined) return;
    const { clock, store, keep } = this.#options;
    const stale = reported.quality === 'stale';
    const seen = stale ? store.twin(live.device)?.condition.lastSeen : undefined;
    keep(live, heard(live.track, reported, { now: clock.now(), seen }));
  }

  #begin(
    held: Map<string, Live>,
    { device, property }: { readonly device: Id; readonly property: string },
    { everyMs, cause }: { readonly everyMs: number; readonly cause: GapCause | undefined },
  ): void {
    const stored = this.#options.file().find(device, property);
    const row = this.rows.get(key({ device, property })) ?? stored;
    const id = row?.id ?? ++this.#lastId;
    const stands = row?.ended === null ? stored?.open : undefined;
    const saved = stands !== undefined;
    const open = stands ?? this.#since(row, cause);
    const live: Live = { id, device, property, track: begin(everyMs, open), saved };
    held.set(property, live);
    if (row?.ended !== null) this.rows.set(key(live), rowOf(live, null));
    this.#hearFirst(live);
  }

  /** What was known before: after a gap it is a sample of now, for of when it was said there may be one already. */
  #hearFirst(live: Live): void {
    const reported = this.#reported(live);
    const at = this.#options.clock.now();
    this.hear(live, reported && live.track.open ? { ...reported, at } : reported);
  }

  /**
   * The gap before a series begins. One that the file does not know may have begun after it was last written, so at
   * start there is a gap in it too.
   */
  #since(row: SeriesRow | undefined, cause: GapCause | undefined): OpenGap | undefined {
    if (typeof row?.ended === 'number') return { cause: 'off', from: row.ended };
    if (row === undefined && cause === undefined) return undefined;
    return { cause: cause ?? 'off', from: this.#options.alive };
  }

  #end(live: Live): void {
    const { clock, keep } = this.#options;
    const now = clock.now();
    const { track, samples } = released(live.track);
    const { open, ...rest } = track;
    const gap = open && { ...open, to: Math.max(open.from, now) };
    keep(live, { track: rest, samples, ...(gap && { gap }) });
    this.rows.set(key(live), rowOf(live, now));
  }

  #reported({ device, property }: Live): Reported<number> | undefined {
    return this.#options.store.twin(device)?.properties.get(property)?.reported;
  }
}

/** How far apart samples of a property are to be; undefined when none are wanted. */
function everyOf({ history }: Property): number | undefined {
  if (history === undefined) return undefined;
  return history === true ? 0 : (duration(history.every) ?? 0);
}

function key({ device, property }: { readonly device: Id; readonly property: string }): string {
  return `${device}\n${property}`;
}

function rowOf({ id, device, property }: Live, ended: number | null): SeriesRow {
  return { id, device, property, ended };
}
