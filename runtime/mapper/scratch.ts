/** The one folder that a mapper may write: made before its start, and measured while it runs. */
import { type Clock, type Log } from '@limpet/dmi';
import { formatQuantity, type Reason } from '@limpet/dmi/manifest';
import { type Dir } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import path from 'node:path';

/** Looking at more costs the core more than the files are worth. */
const MAX_FILES = 2_000;
const EVERY_MS = 10_000;

export interface ScratchOptions {
  readonly folder: string;
  readonly ceilingBytes: () => number;
  readonly clock: Clock;
  readonly log: Log;
  /** Default 10 s. */
  readonly everyMs?: number | undefined;
  /** It holds more than it may: told at each look. */
  readonly over: (reason: Reason) => void;
  /** It does not any more: told once. */
  readonly within: () => void;
}

export class ScratchWatch {
  readonly #options: ScratchOptions;
  #cancel: (() => void) | undefined;
  #over = false;
  #blind = false;
  #stopped = false;

  constructor(options: ScratchOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, everyMs = EVERY_MS } = this.#options;
    this.#cancel ??= clock.after(everyMs, () => void this.#look());
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  async #look(): Promise<void> {
    const { folder, ceilingBytes, log, over, within } = this.#options;
    try {
      const excess = excessOf(await measure(folder), ceilingBytes(), folder);
      this.#blind = false;
      if (this.#stopped) return;
      if (excess !== undefined) over(excess);
      if (excess === undefined && this.#over) within();
      this.#over = excess !== undefined;
    } catch (error) {
      if (!this.#blind)
        log.warn('scratch folder of a mapper cannot be measured', { folder, error });
      this.#blind = true;
    }
    this.#cancel = undefined;
    if (!this.#stopped) this.start();
  }
}

interface Measured {
  readonly bytes: number;
  readonly files: number;
}

function excessOf({ bytes, files }: Measured, ceiling: number, folder: string): Reason | undefined {
  const told = (what: string): Reason => ({
    code: 'MAPPER_DISK',
    message: `its folder ${folder} holds ${what}: remove what is not needed, or raise "disk"`,
  });
  if (files > MAX_FILES) return told(`more than ${MAX_FILES} files`);
  if (bytes <= ceiling) return undefined;
  return told(`${formatQuantity(bytes)}, its "disk" allows ${formatQuantity(ceiling)}`);
}

/** Nothing for a folder that is gone by now: whoever makes and removes folders must not escape the measure. */
async function opened(folder: string): Promise<Dir | undefined> {
  try {
    return await opendir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** What the files take on the disk. */
export async function measure(folder: string): Promise<Measured> {
  const total = { bytes: 0, files: 0 };
  const folders = [folder];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    for await (const entry of (await opened(next)) ?? []) {
      total.files += 1;
      if (total.files > MAX_FILES) return total;
      const file = path.join(next, entry.name);
      if (entry.isDirectory()) folders.push(file);
      // A file that is gone by now takes nothing.
      else
        total.bytes += await lstat(file).then(
          ({ blocks }) => blocks * 512,
          () => 0,
        );
    }
  }
  return total;
}
