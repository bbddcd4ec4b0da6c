/** What the core has of a mapper's process: both planes, and what is under way on them. */
import { type Calls } from './calls.ts';
import { type Channel } from './channel.ts';
import { FrameError } from './frame.ts';
import { type Pushes } from './pushes.ts';

export interface Link {
  readonly calls: Calls;
  readonly management: Channel;
  readonly data: Channel;
  readonly pushes: Pushes;
}

/** Whether a message was too large to be sent, so that it should be sent in pieces. */
export function isTooLarge(error: unknown): boolean {
  return error instanceof FrameError && error.code === 'FRAME_TOO_LARGE';
}
