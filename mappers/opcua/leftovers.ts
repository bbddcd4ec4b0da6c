/**
 * Sessions whose connection was lost. A server keeps each until it times out, and small ones keep five at most: so the
 * next connection of the same device ends it first.
 */
import type { Channel } from './channel.ts';
import type { Session } from './session.ts';

/** One a device; beyond that the oldest is left to time out. */
const MOST = 256;

export class Leftovers {
  readonly #sessions = new Map<string, Session>();

  keep(device: string, session: Session): void {
    this.#sessions.delete(device);
    this.#sessions.set(device, session);
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size > MOST && oldest !== undefined) this.#sessions.delete(oldest);
  }

  /** Ends the one that this device left behind. */
  async end(device: string, channel: Channel, signal: AbortSignal): Promise<void> {
    const session = this.#sessions.get(device);
    this.#sessions.delete(device);
    const ended = await session?.end(signal, channel);
    if (session !== undefined && ended === false) this.keep(device, session);
  }
}
