/** H4, the UART transport of HCI (Core Specification, Vol 4 Part A): packets out of a byte stream (pure). */

export const COMMAND = 0x01;
export const ACL_IN = 0x02;
const SCO_IN = 0x03;
export const EVENT = 0x04;
const ISO_IN = 0x05;

/** Which byte of a packet is its length, and whether two bytes are. */
const LENGTHS: Readonly<Record<number, { readonly at: number; readonly wide: boolean }>> = {
  [COMMAND]: { at: 3, wide: false },
  [ACL_IN]: { at: 3, wide: true },
  [SCO_IN]: { at: 3, wide: false },
  [EVENT]: { at: 2, wide: false },
  [ISO_IN]: { at: 3, wide: true },
};

/** A controller that announces a longer one has lost its place in the stream. */
const MAX_PACKET = 4096;

/** The stream is not H4, or bytes of it were lost: nothing after this can be trusted. */
export class H4Error extends Error {}

/** Takes bytes as they come, gives whole packets, type byte first, as views of them. Holds at most one unfinished packet. */
export class H4Parser {
  #held: Buffer = Buffer.alloc(0);

  /** @throws H4Error */
  take(chunk: Uint8Array): Buffer[] {
    const { buffer, byteOffset, byteLength } = chunk;
    this.#held =
      this.#held.length === 0
        ? Buffer.from(buffer, byteOffset, byteLength)
        : Buffer.concat([this.#held, chunk]);
    const packets: Buffer[] = [];
    for (;;) {
      const length = packetLength(this.#held);
      if (length === undefined || this.#held.length < length) return packets;
      packets.push(this.#held.subarray(0, length));
      this.#held = this.#held.subarray(length);
    }
  }
}

/** Of the packet that begins here; `undefined` while too little of it has come. */
function packetLength(bytes: Buffer): number | undefined {
  if (bytes.length === 0) return undefined;
  const type = bytes.readUInt8(0);
  const where = LENGTHS[type];
  if (where === undefined) throw new H4Error(`0x${type.toString(16)} begins no H4 packet`);
  const { at, wide } = where;
  if (bytes.length < at + (wide ? 2 : 1)) return undefined;
  const length = wide ? at + 2 + (bytes.readUInt16LE(at) & 0x3fff) : at + 1 + bytes.readUInt8(at);
  if (length > MAX_PACKET) throw new H4Error(`a packet of ${length} bytes was announced`);
  return length;
}
