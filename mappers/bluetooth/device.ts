/** One device as the adapters hear it: where it is heard best, what it advertises, and the way to its attributes. */
import {
  type Clock,
  type DmiError,
  type Log,
  type MapperContext,
  type Reading,
  Unreachable,
  unlessAborted,
} from '@limpet/dmi';
import type { Adapter, AdapterUser } from './adapter.ts';
import { Attributes } from './attributes.ts';
import { Heard } from './heard.ts';
import type { Report } from './radio/radio.ts';
import type { Settings } from './settings.ts';
import type { Visitor } from './visitor.ts';

/** How the device is heard through one adapter. */
interface Ear {
  readonly adapter: Adapter;
  readonly user: AdapterUser;
  rssi: number;
  atMs: number | undefined;
  /** Why the adapter cannot be used now. */
  lost: DmiError | undefined;
}

/** The code of a device that is not there, for all that can be heard. */
export const NOT_HEARD = 'BLE_NOT_HEARD';
/** Of a strength and the one before: one weak packet does not move a device to another adapter. */
const SMOOTHING = 0.25;
/** What was heard longer ago counts for nothing in the choice of an adapter. */
const RECENT_MS = 30_000;

export interface DeviceOptions {
  readonly settings: Settings;
  readonly context: MapperContext;
  /** In the order in which the settings name them. */
  readonly adapters: readonly Adapter[];
}

export class Device {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Log;
  readonly attributes: Attributes;
  readonly #heard = new Heard();
  readonly #ears: readonly Ear[];
  /** Called when it is heard, and whether what it says is new. */
  #listener: ((fresh: boolean) => void) | undefined;
  /** Called when the last adapter is lost. */
  #onLost: ((error: DmiError) => void) | undefined;
  #first: (() => void) | undefined;
  #openedMs: number;

  constructor({ settings, context, adapters }: DeviceOptions) {
    const { clock, log } = context;
    this.settings = settings;
    this.clock = clock;
    this.log = log;
    this.#openedMs = clock.monotonic();
    this.#ears = adapters.map((adapter) => this.#ear(adapter, context));
    this.attributes = new Attributes({
      settings,
      clock,
      adapter: () => this.#best().adapter,
      peer: () => ({
        address: settings.address,
        random: settings.random ?? this.#heard.random ?? looksRandom(settings.address),
      }),
    });
  }

  /** Resolves once an adapter hears the device, or has heard it lately. @throws Unreachable, Misconfigured, or the signal's reason */
  async open(signal: AbortSignal): Promise<void> {
    const { timeoutMs, silenceMs, slots } = this.settings;
    for (const { adapter, user } of this.#ears) {
      adapter.join(user);
      adapter.slots.limit(slots);
    }
    let why = this.#notOpened();
    const end = new AbortController();
    const stop = this.clock.after(timeoutMs, () => end.abort(why));
    const both = AbortSignal.any([signal, end.signal]);
    try {
      const first = new Promise<void>((resolve) => (this.#first = resolve));
      await this.#ready(both);
      why = this.#notHeard();
      this.#onLost = (error) => end.abort(error);
      this.#openedMs = this.clock.monotonic();
      const { atMs } = this.#heard;
      if (atMs === undefined || this.#openedMs - atMs > silenceMs) await unlessAborted(first, both);
    } finally {
      this.#onLost = undefined;
      stop();
    }
  }

  /** Why no adapter can be used; `undefined` while one can. */
  get lost(): DmiError | undefined {
    return this.#ears.every(({ lost }) => lost !== undefined) ? this.#ears[0]?.lost : undefined;
  }

  /** @throws Unreachable when it was silent for too long, and no link explains that */
  mustBeHeard(): void {
    const { silenceMs } = this.settings;
    if (this.silentMs > silenceMs && this.attributes.linked === undefined) throw this.silence();
  }

  get silentMs(): number {
    return this.clock.monotonic() - (this.#heard.atMs ?? this.#openedMs);
  }

  silence(): Unreachable {
    const { address, silenceMs } = this.settings;
    return new Unreachable(
      'BLE_SILENT',
      `${address} was not heard for ${silenceMs / 1000} s: check its battery, and whether it is in reach`,
    );
  }

  /** A value that needs no link. */
  reading(visitor: Visitor): Reading {
    const { source } = visitor;
    if (source.kind === 'fact' && source.fact === 'waited')
      return { ok: true, value: this.attributes.waitedMs };
    return this.#heard.reading(visitor, this.clock.monotonic(), this.settings.silenceMs);
  }

  listen(listener: (fresh: boolean) => void, onLost: (error: DmiError) => void): void {
    this.#listener = listener;
    this.#onLost = onLost;
  }

  unlisten(): void {
    this.#listener = undefined;
    this.#onLost = undefined;
  }

  close(): void {
    this.unlisten();
    this.attributes.close();
    for (const { adapter, user } of this.#ears) adapter.leave(user);
  }

  /** Resolves when one adapter is ready; those that are not may come later. */
  async #ready(signal: AbortSignal): Promise<void> {
    const opening = this.#ears.map(async (ear) => {
      await ear.adapter.ready(signal);
      ear.lost = undefined;
    });
    try {
      await Promise.any(opening);
    } catch (error) {
      throw signal.aborted ? signal.reason : (error as AggregateError).errors[0];
    }
  }

  #ear(adapter: Adapter, context: MapperContext): Ear {
    const ear: Ear = {
      adapter,
      rssi: -128,
      atMs: undefined,
      lost: undefined,
      user: {
        name: context.device,
        noble: this.settings.noble,
        dial: context.dial,
        keep: context.keep,
        hears: this.settings.address,
        heard: (report) => this.#hear(ear, report),
        lost: (error) => {
          ear.lost = error;
          if (this.lost === undefined) return true;
          this.#onLost?.(this.lost);
          return false;
        },
      },
    };
    return ear;
  }

  #hear(ear: Ear, report: Report): void {
    const now = this.clock.monotonic();
    const recent = ear.atMs !== undefined && now - ear.atMs < RECENT_MS;
    ear.rssi = recent ? ear.rssi + (report.rssi - ear.rssi) * SMOOTHING : report.rssi;
    ear.atMs = now;
    ear.lost = undefined;
    const fresh = this.#heard.take(report, now);
    this.#first?.();
    this.#listener?.(fresh);
  }

  #best(): Ear {
    const now = this.clock.monotonic();
    const rank = ({ rssi, atMs, lost }: Ear): number =>
      lost !== undefined ? -Infinity : now - (atMs ?? -Infinity) < RECENT_MS ? rssi : -1000;
    return this.#ears.toSorted((a, b) => rank(b) - rank(a))[0] as Ear;
  }

  #notOpened(): Unreachable {
    const { timeoutMs, adapters } = this.settings;
    const names = adapters.map(({ name }) => name).join(', ');
    return new Unreachable('BLE_ADAPTER_SILENT', `${names} was not opened within ${timeoutMs} ms`);
  }

  #notHeard(): Unreachable {
    const { address, timeoutMs, adapters } = this.settings;
    const names = adapters.map(({ name }) => name).join(', ');
    return new Unreachable(
      NOT_HEARD,
      `${address} was not heard by ${names} within ${timeoutMs} ms: is it switched on, in reach, and not connected to something else?`,
    );
  }
}

/** Of an address that was never heard: Core Specification, Vol 6 Part B, 1.3.2: static random ones begin with two ones. */
function looksRandom(address: string): boolean {
  return Number.parseInt(address.slice(0, 2), 16) >= 0xc0;
}
