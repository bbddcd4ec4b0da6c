/** The other end, for pretend devices. */
import type { Duplex } from 'node:stream';
import { Garbled } from '../errors.ts';
import type { FrameWire } from './frames.ts';

/** The longest frame that a pretend device takes; more is dropped, as a real one would overrun its buffer. */
const MAX_FRAME = 65_536;

/** Answers each frame that `respond` answers; `undefined` is silence. A frame it cannot read it never answers. */
export function answerFrames(
  stream: Duplex,
  { length }: FrameWire,
  respond: (frame: Buffer) => Uint8Array | undefined,
): void {
  let held: Buffer = Buffer.alloc(0);
  const lengthOf = (bytes: Buffer): number | undefined => {
    try {
      return length(bytes);
    } catch (error) {
      if (!(error instanceof Garbled)) throw error;
      // A real device would not know either where the next frame begins.
      held = Buffer.alloc(0);
      return undefined;
    }
  };
  const cut = (): Buffer | undefined => {
    const bytes = lengthOf(held);
    if (bytes === undefined || bytes <= 0 || held.length < bytes) return undefined;
    const frame = held.subarray(0, bytes);
    held = held.subarray(bytes);
    return frame;
  };
  stream.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    if (held.length > MAX_FRAME) held = Buffer.alloc(0);
    for (let frame = cut(); frame !== undefined; frame = cut()) {
      const answer = respond(frame);
      if (answer !== undefined && !stream.writableEnded && !stream.destroyed) stream.write(answer);
    }
  });
  stream.on('error', () => stream.destroy());
  stream.on('end', () => stream.end());
}
