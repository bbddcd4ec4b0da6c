/** Measures MQTT packets as their bytes pass, so that one beyond the limit is seen at its header. */

export class PacketGauge {
  readonly #limit: number;
  /** Bytes of the present packet still to come. */
  #left = 0;
  /** Digits of the remaining length read so far; -1 before the packet's first byte. */
  #digits = -1;
  #length = 0;

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  /** Whether all packets seen so far are within the limit. After `false`, the stream is to be dropped. */
  admits(chunk: Uint8Array): boolean {
    for (let at = 0; at < chunk.length;) {
      if (this.#left > 0) {
        const part = Math.min(this.#left, chunk.length - at);
        this.#left -= part;
        at += part;
        continue;
      }
      if (!this.#header(chunk[at++] ?? 0)) return false;
    }
    return true;
  }

  /** MQTT 3.1.1, 2.2: a type byte, then the remaining length in up to four bytes of seven bits. */
  #header(byte: number): boolean {
    if (this.#digits < 0) {
      this.#digits = 0;
      this.#length = 0;
      return true;
    }
    this.#length += (byte & 0x7f) * 128 ** this.#digits++;
    if (this.#length > this.#limit) return false;
    if ((byte & 0x80) !== 0) return this.#digits < 4;
    this.#left = this.#length;
    this.#digits = -1;
    return true;
  }
}
