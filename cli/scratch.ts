/** Where tests put their files. */
import { mkdtempSync, readFileSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const MEMORY = '/dev/shm';
/** Several times what all tests together leave there. */
const ROOM_BYTES = 2 * 1024 ** 3;

/**
 * A new folder, in memory where there is room: tests hand their files to the disk ten thousands of times, and what is
 * promised about disks is proved with ones that fail on demand. Whoever chose a `TMPDIR` gets it there.
 */
export function scratchFolder(memory = MEMORY): string {
  const parent = process.env['TMPDIR'] === undefined && fits(memory) ? memory : tmpdir();
  return mkdtempSync(path.join(parent, 'limpet-tests-'));
}

/** Room enough, and what is written there can be run. Containers often have neither. */
function fits(folder: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(folder);
    const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
    const options = mounts.map((line) => line.split(' ')).findLast(([, at]) => at === folder)?.[3];
    return options?.split(',').includes('noexec') === false && bavail * bsize >= ROOM_BYTES;
  } catch {
    return false;
  }
}
