/** What one device tells the twin store: readings, staleness, its state. */
import { type Clock, type Reading } from '@limpet/dmi';
import { type DeviceState, type Id, type Reason, type Reported } from '@limpet/dmi/manifest';
import { answer, nextReported } from './convert.ts';
import { LastReadings } from './last-readings.ts';
import { clipped, type PlannedProperty } from './plan.ts';
import { type DeviceStore } from './store-door.ts';

/** `lastSeen` is written at most this often. */
const SEEN_EVERY_MS = 5_000;

export class Reporter {
  readonly #id: Id;
  readonly #store: DeviceStore;
  readonly #clock: Clock;
  #seenMs = -Infinity;
  /** Readings that the device gave, good and bad, changed or not. */
  taken = 0;
  /** Those of them that were no value: refused, or not to be converted. */
  failed = 0;
  readonly last = new LastReadings();

  constructor(id: Id, store: DeviceStore, clock: Clock) {
    this.#id = id;
    this.#store = store;
    this.#clock = clock;
  }

  /** `readings` answer `asked`, in its order. Only what changed is reported. */
  readings(asked: readonly PlannedProperty[], readings: readonly Reading[]): void {
    const now = this.#clock.now();
    const nowMs = this.#clock.monotonic();
    const before = this.#store.twin(this.#id)?.properties;
    let changed: Map<string, Reported<number>> | undefined;
    for (let index = 0; index < asked.length; index++) {
      const [planned, reading] = [asked[index] as PlannedProperty, readings[index]];
      const { property } = planned;
      if (reading === undefined) throw new Error(`no reading for ${property.name}`);
      const previous = before?.get(property.name)?.reported;
      const said = answer(property, reading);
      this.last.note(planned, said, nowMs);
      if (!said.ok) this.failed += 1;
      const next = nextReported(property, previous, said, now);
      if (next !== undefined) (changed ??= new Map()).set(property.name, next);
    }
    this.taken += asked.length;
    if (changed !== undefined) this.#store.report(this.#id, changed);
    this.#seen();
  }

  /** The values are no longer what the device says; the last ones stay. `names`: these only. */
  stale(reason: Reason, names?: readonly string[]): void {
    const { properties } = this.#store.twin(this.#id) ?? { properties: new Map() };
    const changed = new Map<string, Reported<number>>();
    for (const name of names ?? properties.keys()) {
      const reported = properties.get(name)?.reported;
      if (reported === undefined) continue;
      if (reported.quality === 'stale' && reported.reason?.code === reason.code) continue;
      changed.set(name, { ...reported, quality: 'stale', reason: clipped(reason) });
    }
    if (changed.size > 0) this.#store.report(this.#id, changed);
  }

  /** The device's state; `lastSeen` is kept. */
  state(state: DeviceState, reason?: Reason): void {
    const before = this.#store.twin(this.#id)?.condition;
    const seen = before?.lastSeen === undefined ? {} : { lastSeen: before.lastSeen };
    this.#store.condition(this.#id, { state, ...seen, ...(reason && { reason: clipped(reason) }) });
  }

  #seen(): void {
    const now = this.#clock.monotonic();
    const state = this.#store.twin(this.#id)?.condition.state;
    if (state === 'online' && now - this.#seenMs < SEEN_EVERY_MS) return;
    this.#seenMs = now;
    this.#store.condition(this.#id, { state: 'online', lastSeen: this.#clock.now() });
  }
}
