/**
 * Room for the texts and JSON that twins hold. A device can fill each of them with 64 KiB: together they have a ceiling, and
 * beyond it a report is bad, with the value before it.
 */
import { type Clock, type Json } from '@limpet/dmi';
import { formatQuantity, type Reported } from '@limpet/dmi/manifest';
import { type Twins } from './twins.ts';

/** Numbers and short texts are in what a property counts anyway. */
const SHORT = 64;
/** Parsed, small things in a list take so many times their text. */
const PARSED = 8;
/** Removals are not followed: when there seems to be no room, all is counted again, but not more often. */
const RECOUNT_MS = 1_000;

export interface ValueRoomOptions {
  readonly twins: Twins;
  readonly limitBytes: number;
  readonly clock: Clock;
}

export class ValueRoom {
  readonly #options: ValueRoomOptions;
  /** At least what is held. */
  #bytes: number;
  #countedMs: number;
  /** Reports that there was no room for. */
  refused = 0;

  constructor(options: ValueRoomOptions) {
    this.#options = options;
    this.#bytes = bytesIn(options.twins);
    this.#countedMs = options.clock.monotonic();
  }

  /** The report as it may be kept in place of the one held. */
  admit(held: Reported<number> | undefined, reported: Reported<number>): Reported<number> {
    const more = sizeOf(reported.value) - sizeOf(held?.value ?? null);
    if (more <= 0 || this.#fits(more)) {
      this.#bytes += more;
      return reported;
    }
    this.refused++;
    const size = formatQuantity(this.#options.limitBytes);
    const message = `the texts of this node take ${size}, all the room there is for them: read shorter parts, or raise memory.core in limpet.yaml`;
    return {
      value: held?.value ?? null,
      at: held?.at ?? reported.at,
      quality: 'bad',
      reason: { code: 'NODE_VALUES_FULL', message },
    };
  }

  #fits(more: number): boolean {
    const { twins, limitBytes, clock } = this.#options;
    if (this.#bytes + more <= limitBytes) return true;
    const now = clock.monotonic();
    if (now - this.#countedMs < RECOUNT_MS) return false;
    this.#countedMs = now;
    this.#bytes = bytesIn(twins);
    return this.#bytes + more <= limitBytes;
  }
}

function bytesIn(twins: Twins): number {
  let bytes = 0;
  for (const { entries } of twins.devices.values()) {
    for (const { twin } of entries.values()) bytes += sizeOf(twin.reported?.value ?? null);
  }
  return bytes;
}

function sizeOf(value: Json): number {
  if (typeof value === 'string') return value.length <= SHORT ? 0 : value.length;
  if (typeof value !== 'object' || value === null) return 0;
  return JSON.stringify(value).length * PARSED;
}
