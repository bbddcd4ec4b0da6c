/** Threads that nobody waits for give way to those that answer. */
import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';

/** Of the thread that calls; where the system knows no such thing it goes on as it is. */
export function stepBack(): void {
  try {
    // Linux: PID/task/TID.
    const thread = readlinkSync('/proc/thread-self').split('/').at(-1);
    setPriority(Number(thread), NICE);
  } catch {
    // Elsewhere threads have no priority of their own.
  }
}

const NICE = 5;
