/** What one device has advertised lately, and the values in it. */
import { type Reading, Refused } from '@limpet/dmi';
import { parseAdvertisement } from './advertisement.ts';
import { bthomeValue } from './bthome.ts';
import { decode, matches } from './layout.ts';
import type { Report } from './radio/radio.ts';
import type { FactSource, HeardSource, Visitor } from './visitor.ts';

/** Kinds of data that are remembered of one device, the latest of each; the one heard longest ago goes. */
const MAX_FRAMES = 16;
/** A signal strength that the controller does not know: Vol 4 Part E, 7.7.65.2. */
const NO_RSSI = 127;

interface Frame {
  readonly key: string;
  readonly bytes: Buffer;
  /** Monotonic. */
  readonly atMs: number;
}

export class Heard {
  /** The latest first. */
  #frames: Frame[] = [];
  #name: string | undefined;
  #txPower: number | undefined;
  #rssi: number | undefined;
  #atMs: number | undefined;
  #random: boolean | undefined;

  /** When it was last heard, monotonic. */
  get atMs(): number | undefined {
    return this.#atMs;
  }

  /** Of its address, as it advertises. */
  get random(): boolean | undefined {
    return this.#random;
  }

  /** Takes over what a report tells; whether anything but the strength of the signal is new. */
  take(report: Report, atMs: number): boolean {
    this.#atMs = atMs;
    this.#random = report.random;
    if (report.rssi !== NO_RSSI) this.#rssi = report.rssi;
    const { elements, name, txPower } = parseAdvertisement(report.bytes);
    let fresh = (name ?? this.#name) !== this.#name || (txPower ?? this.#txPower) !== this.#txPower;
    this.#name = name ?? this.#name;
    this.#txPower = txPower ?? this.#txPower;
    for (const { key, bytes } of elements) {
      if (this.#remember({ key, bytes: copy(bytes), atMs })) fresh = true;
    }
    return fresh;
  }

  /** What it advertised last of what the visitor names. `silentMs`: what is older, the device no longer tells. */
  reading({ source, layout }: Visitor, nowMs: number, silentMs: number): Reading {
    if (source.kind === 'fact') return this.#fact(source);
    if (source.kind === 'gatt') return refused('BLE_NOT_ADVERTISED', 'it is not advertised');
    const frames = this.#frames.filter(
      ({ key, bytes }) => key === source.key && matches(layout, bytes),
    );
    for (const frame of frames) {
      const value = valueIn(source, layout, frame.bytes);
      if (value === undefined) continue;
      if (value instanceof Error) return { ok: false, error: value };
      if (nowMs - frame.atMs <= silentMs) return { ok: true, value };
      return refused('BLE_SILENT', `the device advertises, but not this, for ${silentMs} ms`);
    }
    return refused(
      'BLE_NOT_ADVERTISED',
      'the device advertises, but never this: check from, company or uuid, match and size',
    );
  }

  #fact({ fact }: FactSource): Reading {
    const known = { name: this.#name, rssi: this.#rssi, txPower: this.#txPower, waited: undefined };
    const value = known[fact];
    if (value !== undefined) return { ok: true, value };
    return refused('BLE_NOT_ADVERTISED', `the device does not tell its ${fact}`);
  }

  /** Whether it is new. Two frames are of one kind if they have the same length and begin alike. */
  #remember(frame: Frame): boolean {
    const alike = (other: Frame): boolean =>
      other.key === frame.key &&
      other.bytes.length === frame.bytes.length &&
      other.bytes[0] === frame.bytes[0];
    const before = this.#frames.find(alike);
    const others = this.#frames.filter((other) => other !== before);
    this.#frames = [frame, ...others].slice(0, MAX_FRAMES);
    return before === undefined || !before.bytes.equals(frame.bytes);
  }
}

function valueIn(source: HeardSource, layout: Visitor['layout'], bytes: Buffer) {
  const { object } = source;
  return object === undefined ? decode(layout, bytes) : bthomeValue(bytes, object.id, object.nth);
}

function refused(code: string, message: string): Reading {
  return { ok: false, error: new Refused(code, message) };
}

/** Of its own: a small Buffer is a view of Node's pool, and would keep 8 KiB of it for as long as it is remembered. */
function copy(bytes: Uint8Array): Buffer {
  const own = Buffer.alloc(bytes.length);
  own.set(bytes);
  return own;
}
