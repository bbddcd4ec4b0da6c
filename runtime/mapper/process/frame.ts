/**
 * Messages on a byte stream, both ways between the core and a mapper's process (pure): four bytes of length, big
 * endian, then so many bytes of JSON in UTF-8. Whatever comes in costs at most {@link MAX_FRAME_BYTES}.
 */
import { isUtf8 } from 'node:buffer';

/** A frame beyond is refused by its first four bytes. */
const MAX_FRAME_BYTES = 1_048_576;
/** Objects and lists in one frame: a megabyte of brackets would become many megabytes of them. */
const MAX_NODES = 100_000;
const HEAD_BYTES = 4;
/** Below it a frame cannot hold too many nodes, and the room for it is kept. */
const SMALL_BYTES = 65_536;

/** What came in is no frame, or what should go out is too large for one. */
export class FrameError extends Error {
  readonly code: 'FRAME_TOO_LARGE' | 'FRAME_MALFORMED';

  constructor(code: FrameError['code'], message: string) {
    super(message);
    this.name = 'FrameError';
    this.code = code;
  }
}

/** @throws FrameError FRAME_TOO_LARGE */
export function encodeFrame(message: object): Buffer {
  const text = JSON.stringify(message);
  const length = Buffer.byteLength(text);
  if (length > MAX_FRAME_BYTES) throw tooLarge(length);
  const frame = Buffer.allocUnsafe(HEAD_BYTES + length);
  frame.writeUInt32BE(length);
  frame.write(text, HEAD_BYTES);
  return frame;
}

/** Takes bytes as they come and gives the messages that they complete. After an error it is of no more use. */
export class FrameReader {
  /** The beginning of a frame, its first `#used` bytes; grows with what has come, not with what is announced. */
  #held: Buffer = Buffer.alloc(0);
  #used = 0;

  /** @throws FrameError */
  push(chunk: Buffer): unknown[] {
    const messages: unknown[] = [];
    let at = 0;
    while (at < chunk.length) {
      const body = this.#used === 0 ? wholeBody(chunk, at) : undefined;
      if (body !== undefined) {
        at += HEAD_BYTES + body.length;
        messages.push(parse(body));
        continue;
      }
      at += this.#hold(chunk, at);
      if (this.#used >= HEAD_BYTES && this.#used === this.#wanted()) messages.push(this.#take());
    }
    return messages;
  }

  /** Bytes of an unfinished frame. */
  get held(): number {
    return this.#used;
  }

  /** How far the frame goes, as far as is known. */
  #wanted(): number {
    return this.#used < HEAD_BYTES ? HEAD_BYTES : HEAD_BYTES + lengthAt(this.#held, 0);
  }

  #hold(chunk: Buffer, at: number): number {
    const wanted = this.#wanted();
    const count = Math.min(wanted - this.#used, chunk.length - at);
    const needed = this.#used + count;
    if (needed > this.#held.length) {
      const grown = Buffer.allocUnsafeSlow(
        Math.min(Math.max(256, needed, this.#held.length * 2), Math.max(needed, wanted)),
      );
      this.#held.copy(grown, 0, 0, this.#used);
      this.#held = grown;
    }
    chunk.copy(this.#held, this.#used, at, at + count);
    this.#used = needed;
    return count;
  }

  #take(): unknown {
    const message = parse(this.#held.subarray(HEAD_BYTES, this.#used));
    this.#used = 0;
    if (this.#held.length > SMALL_BYTES) this.#held = Buffer.alloc(0);
    return message;
  }
}

function wholeBody(chunk: Buffer, at: number): Buffer | undefined {
  const from = at + HEAD_BYTES;
  if (from > chunk.length) return undefined;
  const end = from + lengthAt(chunk, at);
  return end <= chunk.length ? chunk.subarray(from, end) : undefined;
}

function lengthAt(bytes: Buffer, at: number): number {
  const length = bytes.readUInt32BE(at);
  if (length > MAX_FRAME_BYTES) throw tooLarge(length);
  return length;
}

function parse(body: Buffer): unknown {
  if (!isUtf8(body)) throw new FrameError('FRAME_MALFORMED', 'a frame is not UTF-8');
  if (body.length > SMALL_BYTES && nodes(body) > MAX_NODES) {
    throw new FrameError(
      'FRAME_TOO_LARGE',
      `a frame holds more than ${MAX_NODES} objects and lists`,
    );
  }
  try {
    return JSON.parse(body.toString());
  } catch {
    // What JSON.parse says quotes the text, which may be anything.
    throw new FrameError('FRAME_MALFORMED', `a frame of ${body.length} bytes is not JSON`);
  }
}

const [QUOTE, BACKSLASH, BRACKET, BRACE] = [0x22, 0x5c, 0x5b, 0x7b];

/** Opening brackets outside of texts. */
function nodes(body: Buffer): number {
  let count = 0;
  let inText = false;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at];
    if (inText && byte === BACKSLASH) at++;
    else if (byte === QUOTE) inText = !inText;
    else if (!inText && (byte === BRACKET || byte === BRACE)) count++;
  }
  return count;
}

function tooLarge(bytes: number): FrameError {
  const message = `a frame of ${bytes} bytes; at most ${MAX_FRAME_BYTES} are allowed`;
  return new FrameError('FRAME_TOO_LARGE', message);
}
