/**
 * What answers wait in memory for readers that take nothing. Together they have one ceiling: beyond it, whoever has taken
 * nothing for a while is cut off, new requests are turned away, and watches wait with their next event.
 */
import type { ServerResponse } from 'node:http';
import type { Clock } from '@limpet/dmi';

/** So long a reader may take nothing while there is no room for others. */
const STALLED_MS = 5_000;
/** How often those that wait look again. */
const LOOK_MS = 250;

interface Waiting {
  bytes: number;
  readonly sinceMs: number;
}

export class Unread {
  readonly #limit: number;
  readonly #clock: Clock;
  /** At most one entry per open answer. */
  readonly #waiting = new Map<ServerResponse, Waiting>();
  bytes = 0;
  /** Readers cut off. */
  cut = 0;

  constructor(limitBytes: number, clock: Clock) {
    this.#limit = limitBytes;
    this.#clock = clock;
  }

  /** So much was handed to the answer; counted until the returned function is called, or it is sent or closed. */
  wrote(response: ServerResponse, bytes: number): () => void {
    const waiting = { bytes, sinceMs: this.#clock.monotonic() };
    this.#forget(response);
    this.#waiting.set(response, waiting);
    this.bytes += bytes;
    const taken = (): void => {
      if (this.#waiting.get(response) === waiting) this.#forget(response);
    };
    response.once('finish', taken).once('close', taken);
    return () => {
      response.off('finish', taken).off('close', taken);
      taken();
    };
  }

  /** Whether there is room for another answer; makes some first, if it can. */
  admits(): boolean {
    if (this.bytes > this.#limit) this.#cutStalled();
    return this.bytes <= this.#limit;
  }

  /** As `wrote`, once there is room for it or the answer is closed. */
  async room(response: ServerResponse, bytes: number): Promise<() => void> {
    while (!this.admits() && !response.destroyed) await this.#clock.sleep(LOOK_MS);
    // In the same turn as the look: many that wait must not all find the same room.
    return this.wrote(response, bytes);
  }

  #cutStalled(): void {
    const now = this.#clock.monotonic();
    for (const [response, { sinceMs }] of this.#waiting) {
      if (now - sinceMs < STALLED_MS) continue;
      this.cut += 1;
      this.#forget(response);
      response.destroy();
      if (this.bytes <= this.#limit) return;
    }
  }

  #forget(response: ServerResponse): void {
    this.bytes -= this.#waiting.get(response)?.bytes ?? 0;
    this.#waiting.delete(response);
  }
}
