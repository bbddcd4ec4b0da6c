/** Records what goes over the wires of devices for whoever asks for it, and costs nothing while nobody does. */
import { type Clock, type Mapper, Refused } from '@limpet/dmi';
import { type CapturedEvent, type CapturePage } from '@limpet/dmi/manifest';

/** A mapper whose wires are not in this process. */
export interface TappedMapper extends Mapper<unknown, unknown> {
  tap?(device: string, capture: string, signal: AbortSignal): Promise<CapturePage>;
}

/** What is kept of one capture until it is fetched takes so much memory; the oldest goes first. */
const MAX_BYTES = 1_048_576;
/** A page is full once it holds so much. */
const PAGE_BYTES = 262_144;
/** Of each event, beside its bytes or text. */
const EVENT_BYTES = 180;
/** A capture that nobody fetches has ended. */
const LEASE_MS = 10_000;
const MAX_CAPTURES = 4;

interface Kept {
  readonly us: number;
  readonly kind: CapturedEvent['kind'];
  readonly bytes?: Buffer;
  readonly text?: string;
}

interface Tap {
  readonly device: string;
  readonly startMs: number;
  fetchedMs: number;
  readonly kept: Kept[];
  /** Of memory. */
  taken: number;
  readonly dropped: { events: number; bytes: number };
}

export class Taps {
  readonly #clock: Clock;
  readonly #taps = new Map<string, Tap>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Something happened on a wire of this device. */
  note(device: string, kind: CapturedEvent['kind'], what?: Uint8Array | string): void {
    if (this.#taps.size === 0) return;
    const now = this.#clock.monotonic();
    this.#expire(now);
    for (const tap of this.#taps.values()) {
      if (tap.device === device) keep(tap, now, kind, what);
    }
  }

  /** @throws Refused CAPTURE_BUSY */
  page(device: string, capture: string, wires: number): CapturePage {
    const now = this.#clock.monotonic();
    this.#expire(now);
    const tap = this.#taps.get(`${device} ${capture}`) ?? this.#begin(device, capture, now);
    tap.fetchedMs = now;
    const events: CapturedEvent[] = [];
    let taken = 0;
    while (taken < PAGE_BYTES) {
      const next = tap.kept.shift();
      if (next === undefined) break;
      taken += sizeOf(next);
      events.push({ ...next, bytes: next.bytes?.toString('base64') } as CapturedEvent);
    }
    tap.taken -= taken;
    return { events, dropped: { ...tap.dropped }, wires, more: tap.kept.length > 0 };
  }

  #begin(device: string, capture: string, now: number): Tap {
    if (this.#taps.size >= MAX_CAPTURES) {
      throw new Refused(
        'CAPTURE_BUSY',
        `${MAX_CAPTURES} captures run already: end one of them, or wait ${LEASE_MS / 1000} s`,
      );
    }
    const dropped = { events: 0, bytes: 0 };
    const tap: Tap = { device, startMs: now, fetchedMs: now, kept: [], taken: 0, dropped };
    this.#taps.set(`${device} ${capture}`, tap);
    return tap;
  }

  #expire(now: number): void {
    for (const [key, { fetchedMs }] of this.#taps) {
      if (now - fetchedMs > LEASE_MS) this.#taps.delete(key);
    }
  }
}

function keep(
  tap: Tap,
  now: number,
  kind: CapturedEvent['kind'],
  what: Uint8Array | string | undefined,
): void {
  const us = Math.round((now - tap.startMs) * 1000);
  const add = (event: Kept): void => {
    tap.kept.push(event);
    tap.taken += sizeOf(event);
  };
  if (typeof what === 'string' || what === undefined) {
    add({ us, kind, ...(what !== undefined && { text: what.slice(0, 500) }) });
  } else {
    // In pieces, so that a page can always hold one.
    for (let at = 0; at < what.length; at += PAGE_BYTES) {
      add({ us, kind, bytes: Buffer.from(what.subarray(at, at + PAGE_BYTES)) });
    }
  }
  while (tap.taken > MAX_BYTES) {
    const oldest = tap.kept.shift() as Kept;
    tap.taken -= sizeOf(oldest);
    tap.dropped.bytes += oldest.bytes?.length ?? 0;
    tap.dropped.events += 1;
  }
}

function sizeOf({ bytes, text = '' }: Kept): number {
  return EVENT_BYTES + (bytes?.length ?? text.length);
}
