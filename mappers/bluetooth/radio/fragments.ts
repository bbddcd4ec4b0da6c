/** Puts long advertisements together: a controller reports those of Bluetooth 5 in parts (Core Specification, Vol 4 Part E, 7.7.65.13). */

/** What one advertisement holds at most: 7.8.57. */
const MAX_BYTES = 1650;

/** Holds the parts of one advertisement: a controller does not mix them. */
export class FragmentJoiner {
  #address = '';
  #held: Buffer[] = [];

  /** The whole of it, once the last part has come. */
  take(address: string, type: number, bytes: Buffer): Buffer | undefined {
    // Bits 5 and 6 of the event type: 0 complete, 1 more to come, 2 truncated.
    const status = (type >> 5) & 3;
    if (address !== this.#address) this.#held = [];
    this.#address = address;
    if (status === 0 && this.#held.length === 0) return bytes;
    const parts = [...this.#held, bytes];
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    this.#held = status === 1 && length <= MAX_BYTES ? parts : [];
    return status === 0 ? Buffer.concat(parts) : undefined;
  }
}
