/** A connection of a mapper that says only what its frames are: which asks, which sets, and what an answer holds. */
import { Garbled, Misconfigured, Refused } from '../errors.ts';
import type { Connection, Reading } from '../mapper.ts';
import type { Value } from '../value.ts';
import type { Frames } from './frames.ts';

/** The frames of one protocol. */
export interface FrameCodec<Visitor> {
  /** The frame that asks for a value. */
  read(visitor: Visitor): Uint8Array;
  /** The frame that sets it, and is answered as `read` is. @throws Misconfigured when no frame can say the value */
  write?(visitor: Visitor, value: Value): Uint8Array;
  /**
   * The value in an answer.
   * @throws Refused when the device says no; Garbled when it is no answer to that, or its checksum is wrong
   */
  value(visitor: Visitor, answer: Buffer): Value;
}

/** One question for each value. An answer that makes no sense is the trouble of one property; the wire is then drained. */
export function frameConnection<Visitor>(
  frames: Frames,
  codec: FrameCodec<Visitor>,
): Connection<Visitor> {
  return {
    async read(visitors, signal) {
      const readings: Reading[] = [];
      for (const visitor of visitors) {
        const answer = await frames.ask(codec.read(visitor), signal);
        readings.push(reading(frames, () => codec.value(visitor, answer)));
      }
      return readings;
    },
    async write(visitor, value, signal) {
      const frame = codec.write?.(visitor, value);
      if (frame === undefined) {
        throw new Misconfigured('FRAME_READ_ONLY', 'devices of this protocol cannot be written');
      }
      const answer = await frames.ask(frame, signal);
      const kept = reading(frames, () => codec.value(visitor, answer));
      if (kept.ok) return kept.value;
      throw kept.error;
    },
    close: () => frames.close(),
  };
}

function reading(frames: Frames, value: () => Value): Reading {
  try {
    return { ok: true, value: value() };
  } catch (error) {
    if (error instanceof Garbled) frames.mistrust();
    else if (!(error instanceof Refused)) throw error;
    return { ok: false, error };
  }
}
