/** The sizes that a server's bytes claim, before the library takes them apart: it holds what is announced. Pure. */
import { Garbled } from '@limpet/dmi';

/** OPC UA Part 6, 6.7.2 and 7.1.2: type, F/C/A, and the size of the chunk, little endian. */
const HEADER_BYTES = 8;
const HEADER = /^((ACK|ERR|RHE)F|(MSG|OPN|CLO)[FCA])$/;

export interface ChunkLimits {
  /** Of one chunk, its header included. */
  readonly chunkBytes: number;
  /** Of the chunks of one message together. */
  readonly messageBytes: number;
  readonly chunks: number;
}

/** Sees bytes in any pieces, keeps less than a header of them. */
export class ChunkSizes {
  readonly #limits: ChunkLimits;
  #header = Buffer.alloc(0);
  /** What is still to come of the chunk whose header was seen. */
  #rest = 0;
  #bytes = 0;
  #chunks = 0;

  constructor(limits: ChunkLimits) {
    this.#limits = limits;
  }

  /** @throws Garbled OPCUA_GARBLED, OPCUA_TOO_LARGE */
  see(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#rest > 0) {
        const step = Math.min(this.#rest, bytes.length - at);
        this.#rest -= step;
        at += step;
        continue;
      }
      const wanted = bytes.subarray(at, at + HEADER_BYTES - this.#header.length);
      this.#header = Buffer.concat([this.#header, wanted]);
      at += wanted.length;
      if (this.#header.length < HEADER_BYTES) return;
      this.#begin(this.#header.toString('latin1', 0, 4), this.#header.readUInt32LE(4));
      this.#header = Buffer.alloc(0);
    }
  }

  #begin(kind: string, size: number): void {
    const { chunkBytes, messageBytes, chunks } = this.#limits;
    if (!HEADER.test(kind) || size < HEADER_BYTES) {
      throw new Garbled('OPCUA_GARBLED', 'the server sent what is no OPC UA');
    }
    this.#bytes += size;
    this.#chunks += 1;
    if (size > chunkBytes || this.#bytes > messageBytes || this.#chunks > chunks) {
      throw new Garbled(
        'OPCUA_TOO_LARGE',
        `the server sends a message beyond the limits that it was told: ${chunkBytes} bytes a chunk, ${messageBytes} bytes and ${chunks} chunks a message`,
      );
    }
    this.#rest = size - HEADER_BYTES;
    if (kind.endsWith('C')) return;
    this.#bytes = 0;
    this.#chunks = 0;
  }
}
