/**
 * The twin store: the whole state of the edge in memory, SQLite behind it. Devices, bus and cloud meet here
 * and nowhere else. Reported changes are committed in groups; what is wanted is on disk before a call returns.
 */
import { type Json } from '@limpet/dmi';
import {
  type Device,
  type DeviceModel,
  type Id,
  type Reason,
  type Reported,
  type StateRow,
  type WantedRow,
} from '@limpet/dmi/manifest';
import { randomUUID } from 'node:crypto';
import { type Limits, LIMITS } from './admission.ts';
import { type Change, Changes } from './changes.ts';
import { type FileOptions, openDatabase, type Opened } from './database.ts';
import { type Metered, unmetered } from './metered.ts';
import { restore } from './restore.ts';
import { load } from './load.ts';
import { type ApplyOptions } from './manifests.ts';
import { Tables } from './tables.ts';
import { judged, sameReason, type Step, withReported } from './twin.ts';
import {
  type DeviceCondition,
  type DeviceEntry,
  type DeviceTwin,
  modelIdOf,
  type PropertyEntry,
  type Twins,
} from './twins.ts';
import { Unsent } from './unsent.ts';
import { type Parts, WantedSide } from './wanted-side.ts';
import { ValueRoom } from './value-room.ts';
import { Writer } from './writer.ts';

export type { Change } from './changes.ts';
export type { Opened } from './database.ts';
export { StoreError } from './store-error.ts';
export type { ApplyOptions } from './manifests.ts';
export type { Step } from './twin.ts';
export type { DeviceCondition, DeviceTwin } from './twins.ts';

export interface TwinStoreOptions extends FileOptions {
  /** Group commits of reported values are at least this far apart; asked anew each time. Default 10 ms. */
  readonly commitMs?: () => number;
  /** Runs each write to the file, to count what it hands to the disk. */
  readonly metered?: Metered;
  readonly limits?: Partial<Limits>;
}

/** For health. Counted since the start, except `pendingRows`: changes that are not on disk yet. */
export interface StoreCounters {
  readonly commits: number;
  readonly rowsWritten: number;
  readonly pendingRows: number;
  readonly diskErrors: number;
  readonly tombstonesDropped: number;
  /** Rows of the cloud that could not be stored: malformed, no room, or for a device of another node. */
  readonly refusedRows: number;
  /** Reports for whose texts there was no room. */
  readonly valuesRefused: number;
}

export class TwinStore {
  /** Names this run of the process; `seq` counts within it. */
  readonly epoch: string = randomUUID();
  readonly opened: Opened;
  readonly #parts: Parts;
  readonly #twins: Twins;
  readonly #wanted: WantedSide;
  readonly #room: ValueRoom;

  private constructor(opened: Opened, parts: Parts, wanted: WantedSide) {
    this.opened = opened;
    this.#parts = parts;
    this.#twins = parts.twins;
    this.#wanted = wanted;
    const { twins, clock, limits } = parts;
    this.#room = new ValueRoom({ twins, clock, limitBytes: limits.valueBytes });
  }

  /** @throws StoreError STORE_LOCKED, SCHEMA_NEWER, NOT_A_STORE, DISK_FULL, DISK_IO */
  static open(options: TwinStoreOptions): TwinStore {
    const { clock, log } = options;
    const { db, opened, loaded } = openDatabase(options, load);
    const { metered = unmetered, commitMs = () => 10 } = options;
    const tables = new Tables(db, metered);
    const unsent = new Unsent();
    const parts: Parts = {
      twins: restore(loaded, clock, unsent),
      tables,
      unsent,
      writer: new Writer<PropertyEntry | DeviceEntry>({
        write: (entries, kind) => tables.writeTwins(entries, kind),
        clock,
        log,
        commitMs,
      }),
      changes: new Changes(log),
      clock,
      log,
      limits: { ...LIMITS, ...options.limits },
    };
    const wanted = new WantedSide(parts, loaded.cursor, loaded.manifests);
    return new TwinStore(opened, parts, wanted);
  }

  /** The highest point of the cloud's stream that is on disk here. */
  rev(): number {
    return this.#wanted.cloud;
  }

  /** The highest `seq` given to a change so far. */
  seq(): number {
    return this.#parts.unsent.seq;
  }

  model(id: Id): DeviceModel | undefined {
    return this.#twins.model(id);
  }

  /** A device that this node runs; see {@link refused} for those that it cannot. */
  device(id: Id): Device | undefined {
    return this.#twins.devices.get(id)?.refused ? undefined : this.#twins.device(id);
  }

  /** The model that the device names, once it is known. */
  modelOf(device: Id): DeviceModel | undefined {
    const doc = this.device(device);
    return doc && this.#twins.model(modelIdOf(doc));
  }

  devices(): readonly Id[] {
    return [...this.#twins.devices.values()].filter((d) => !d.refused).map((d) => d.device);
  }

  models(): readonly Id[] {
    return [...this.#twins.resources.DeviceModel.values()].filter((m) => m.doc).map((m) => m.id);
  }

  /** Devices that are wanted here but beyond the node's limits, and why. */
  refused(): ReadonlyMap<Id, Reason> {
    const refused = new Map<Id, Reason>();
    for (const { device, refused: reason } of this.#twins.devices.values()) {
      if (reason) refused.set(device, reason);
    }
    return refused;
  }

  /** From the cloud; durable. Highest rev wins; the cursor moves to `to`. @throws StoreError */
  mergeWanted(rows: readonly WantedRow[], to: number): void {
    this.#wanted.merge(rows, to);
  }

  /**
   * All checked documents of one source (a file or folder of this node); durable. Acts where content changed
   * since the last time; what the source no longer has is removed; `spec.desired` becomes orders. @throws StoreError
   */
  applyManifest(
    docs: readonly (Device | DeviceModel)[],
    source: string,
    options: ApplyOptions = {},
  ): void {
    this.#wanted.apply(docs, source, options);
  }

  /**
   * A local order, checked by the caller (see `placeOrder`); durable. `null` withdraws. Returns its rev, or
   * that of the order in force when this one would change nothing. @throws StoreError
   */
  order(device: Id, property: string, value: Json, options: { expiresMs?: number } = {}): number {
    const [rev] = this.orders(device, new Map([[property, value]]), options);
    return rev as number;
  }

  /** Like {@link order}, several of one device with one wait for the disk: all of them or none. */
  orders(
    device: Id,
    values: ReadonlyMap<string, Json>,
    options: { expiresMs?: number } = {},
  ): readonly number[] {
    return this.#wanted.order(device, values, options.expiresMs);
  }

  twin(device: Id): DeviceTwin | undefined {
    return this.#twins.devices.get(device);
  }

  /** What a device said, by property; of a device that is gone it is too late news and ignored. */
  report(device: Id, reported: ReadonlyMap<string, Reported<number>>): void {
    const held = this.#twins.devices.get(device);
    if (!held || held.refused) return;
    for (const [property, value] of reported) this.#report(held, property, value);
  }

  condition(device: Id, condition: DeviceCondition): void {
    const held = this.#twins.devices.get(device);
    if (!held || held.refused || sameCondition(held.condition, condition)) return;
    held.condition = condition;
    this.#parts.unsent.touch(held);
    this.#parts.writer.put(held);
    this.#parts.changes.emit({ kind: 'device', device, condition });
  }

  /** How far the order `rev` got; ignored unless it is still the one in force. */
  judge(device: Id, property: string, rev: number, step: Step): void {
    const entry = this.#twins.property(device, property);
    if (!entry || entry.twin.desired?.rev !== rev) return;
    const kept = step.readBack !== undefined;
    if (kept) entry.readBack = step.readBack;
    const twin = judged(entry.twin, rev, step);
    if (twin) this.#change(entry, twin, 'desired');
    else if (kept) this.#parts.writer.hasten(entry);
  }

  /** When the order in force runs out, in ms since 1970 by the edge's clock as it stands now. */
  deadline(device: Id, property: string): number | undefined {
    const deadline = this.#twins.property(device, property)?.deadline;
    if (!deadline) return undefined;
    const { clock } = this.#parts;
    return Math.min(deadline.wall, clock.now() + deadline.monotonic - clock.monotonic());
  }

  /** What the device reported when the order in force was applied. */
  readBack(device: Id, property: string): Json | undefined {
    return this.#twins.property(device, property)?.readBack;
  }

  /** Where the row of a property is on its way to the cloud. `place`: absent when the cloud has it. */
  sending(
    device: Id,
    property: string,
  ): { readonly seq: number; readonly place?: ReturnType<Unsent['place']> } | undefined {
    const entry = this.#twins.property(device, property);
    return entry && { seq: entry.seq, place: this.#parts.unsent.place(entry) };
  }

  /** Rows that the cloud has not acknowledged. */
  get unsentRows(): number {
    return this.#parts.unsent.size;
  }

  /** Current rows above `seq` that are not acknowledged, in `seq` order; at least one if there is any. */
  rowsAfter(seq: number, limit: { rows: number; bytes: number }): readonly StateRow[] {
    return this.#parts.unsent.rowsAfter(seq, limit);
  }

  /** The cloud has everything up to `seq` on its disk. */
  acknowledged(seq: number): void {
    this.#parts.unsent.acknowledged(seq);
  }

  /** A new session: the cloud has this epoch's rows up to `seq`, and none above. */
  resumeFrom(seq: number): void {
    this.#parts.unsent.resumeFrom(seq, this.#twins);
  }

  onChange(listener: (change: Change) => void): () => void {
    return this.#parts.changes.onChange(listener);
  }

  get counters(): StoreCounters {
    const { writer } = this.#parts;
    const { tombstonesDropped, refusedRows, diskErrors } = this.#wanted;
    return {
      commits: writer.commits,
      rowsWritten: writer.rowsWritten,
      pendingRows: writer.pendingRows,
      diskErrors: writer.diskErrors + diskErrors,
      tombstonesDropped,
      refusedRows,
      valuesRefused: this.#room.refused,
    };
  }

  /** Writes pending changes now; what the disk refuses stays pending. */
  flush(): void {
    this.#parts.writer.flush();
  }

  /** Gives up what is kept only to be faster. */
  shrink(): void {
    this.#parts.tables.shrink();
  }

  close(): void {
    this.#parts.writer.close();
    this.#parts.tables.close();
  }

  #report(device: DeviceEntry, property: string, reported: Reported<number>): void {
    const entry = device.entries.get(property) ?? this.#twins.addProperty(device, property);
    const kept = this.#room.admit(entry.twin.reported, reported);
    const twin = withReported(entry.twin, kept);
    if (!twin) return;
    // Only the device can confirm what came from disk: a good value, or one of another time.
    entry.carried &&= kept.quality !== 'good' && kept.at === entry.twin.reported?.at;
    this.#change(entry, twin, 'reported');
  }

  #change(entry: PropertyEntry, twin: PropertyEntry['twin'], what: 'reported' | 'desired'): void {
    this.#twins.setTwin(entry, twin);
    this.#parts.unsent.touch(entry);
    // An order that was carried out and is forgotten would be carried out, or run out, once more.
    if (what === 'desired') this.#parts.writer.hasten(entry);
    else this.#parts.writer.put(entry);
    const { device, property } = entry;
    this.#parts.changes.emit({ kind: 'property', what, device, property, twin });
  }
}

function sameCondition(a: DeviceCondition, b: DeviceCondition): boolean {
  return a.state === b.state && a.lastSeen === b.lastSeen && sameReason(a.reason, b.reason);
}
