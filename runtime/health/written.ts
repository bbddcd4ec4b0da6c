/**
 * How much this thread has handed to files so far, as the kernel counts it (`wchar` of proc(5)'s `io`). SQLite
 * writes in the thread that asks, so the difference around a commit is exactly its WAL frames and whatever the
 * checkpoint in it wrote. On ext4 that is within 0.2 % of `write_bytes`, what the kernel counts towards the disk.
 */
import { closeSync, openSync, readSync } from 'node:fs';

/** Undefined where the kernel does not count (no task IO accounting). Call `close` at the end. */
export function threadWritten(): { written: () => number; close: () => void } | undefined {
  let fd: number;
  try {
    fd = openSync('/proc/thread-self/io', 'r');
  } catch {
    return undefined; // not Linux, or a kernel without: the caller tells
  }
  // One buffer for life: this runs twice a commit.
  const buffer = Buffer.alloc(256);
  const written = (): number => {
    const length = readSync(fd, buffer, 0, buffer.length, 0);
    return Number(/^wchar: (\d+)$/m.exec(buffer.toString('latin1', 0, length))?.[1] ?? 0);
  };
  return { written, close: () => closeSync(fd) };
}
