/** The files of a mapper's package: whether they are others than before, and a watch over them. */
import { type Clock, type Log } from '@limpet/dmi';
import { createHash } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { opendir, stat } from 'node:fs/promises';
import path from 'node:path';

/** Beyond this many files or folders a package's changes are seen by its first ones only. */
const MAX_FILES = 2_000;
const MAX_FOLDERS = 200;
/** An editor saves in several steps, a package is copied file by file: one reading after the last is enough. */
const SETTLE_MS = 500;

export interface Files {
  /** Equal for equal files; sizes and times stand for contents. */
  readonly print: string;
  /** Where a change would be seen. */
  readonly folders: readonly string[];
}

/** What a package consists of, without `node_modules` (a new dependency comes with a new package.json) and hidden files. */
export async function readFiles(folder: string): Promise<Files> {
  const folders: string[] = [];
  const seen: string[] = [];
  const left = [folder];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (folders.length === MAX_FOLDERS) break;
    folders.push(next);
    for (const { name, isFolder } of await list(next)) {
      const file = path.join(next, name);
      if (isFolder) left.push(file);
      else if (seen.length < MAX_FILES) seen.push(await lineOf(file));
    }
  }
  const print = createHash('sha256').update(seen.toSorted().join('\n')).digest('hex');
  return { print, folders };
}

async function list(folder: string): Promise<{ name: string; isFolder: boolean }[]> {
  const found: { name: string; isFolder: boolean }[] = [];
  try {
    for await (const entry of await opendir(folder)) {
      const { name } = entry;
      if (name === 'node_modules' || name.startsWith('.') || name.endsWith('~')) continue;
      found.push({ name, isFolder: entry.isDirectory() });
      if (found.length >= MAX_FILES) break;
    }
  } catch {
    // Gone while it was looked at: its parent says so with another print.
  }
  return found;
}

async function lineOf(file: string): Promise<string> {
  const { size, mtimeMs, ino } = await stat(file).catch(() => ({ size: 0, mtimeMs: 0, ino: 0 }));
  return `${file} ${size} ${mtimeMs} ${ino}`;
}

export interface FilesWatchOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Something in the folders changed, and has been still for a moment. */
  readonly changed: () => void;
}

/** Watches a set of folders, which may be another after each change. */
export class FilesWatch {
  readonly #options: FilesWatchOptions;
  readonly #watchers = new Map<string, FSWatcher>();
  #cancel: () => void = () => undefined;
  #told = false;

  constructor(options: FilesWatchOptions) {
    this.#options = options;
  }

  /** True when some of them were not watched until now: what changed before was not seen. */
  follow(folders: readonly string[]): boolean {
    const wanted = new Set(folders);
    for (const [folder, watcher] of this.#watchers) {
      if (wanted.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    const before = this.#watchers.size;
    for (const folder of wanted) if (!this.#watchers.has(folder)) this.#watch(folder);
    return this.#watchers.size > before;
  }

  stop(): void {
    this.#cancel();
    this.follow([]);
  }

  #watch(folder: string): void {
    try {
      const watcher = watch(folder, () => this.#stir());
      watcher.on('error', (error) => this.#lost(folder, error));
      this.#watchers.set(folder, watcher);
    } catch (error) {
      this.#lost(folder, error);
    }
  }

  #stir(): void {
    const { clock, changed } = this.#options;
    this.#cancel();
    this.#cancel = clock.after(SETTLE_MS, () => {
      // A folder that was put in the place of another has the name, and not the watch, of the old one. Before the files
      // are read, so that what changes meanwhile is seen.
      const folders = [...this.#watchers.keys()];
      this.follow([]);
      this.follow(folders);
      changed();
    });
  }

  #lost(folder: string, error: unknown): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
    if ((error as { code?: string }).code === 'ENOENT' || this.#told) return;
    this.#told = true;
    const message = 'mapper folder no longer watched: send SIGHUP after a change';
    this.#options.log.warn(message, { folder, error });
  }
}
