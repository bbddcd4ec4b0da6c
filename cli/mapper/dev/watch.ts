/** Tells when one of some files was saved. */
import { type FSWatcher, readFileSync, watch } from 'node:fs';
import path from 'node:path';

/** Editors save in several steps. */
const SETTLE_MS = 60;

export class FileWatch {
  readonly #told: (changed: readonly string[]) => void;
  #watchers = new Map<string, FSWatcher>();
  #texts = new Map<string, string | undefined>();
  #timer: NodeJS.Timeout | undefined;

  /** `told` gets the files whose text is another now. */
  constructor(told: (changed: readonly string[]) => void) {
    this.#told = told;
  }

  /** From now on these, and no others. */
  follow(files: readonly string[]): void {
    this.#texts = new Map(files.map((file) => [file, this.#texts.get(file) ?? textOf(file)]));
    // The folders: a file that is replaced by another of its name is a new one to its watcher.
    const folders = new Set(files.map((file) => path.dirname(file)));
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of folders) {
      if (this.#watchers.has(folder)) continue;
      const watcher = watch(folder, () => this.#settle());
      // The folder is gone: what runs goes on, and there is nothing left to be saved in it.
      watcher.on('error', () => watcher.close());
      this.#watchers.set(folder, watcher);
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
  }

  #settle(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), SETTLE_MS);
  }

  #look(): void {
    const changed: string[] = [];
    for (const [file, before] of this.#texts) {
      const text = textOf(file);
      // Gone for a moment: it comes back with the next step of saving it.
      if (text === undefined || text === before) continue;
      this.#texts.set(file, text);
      changed.push(file);
    }
    if (changed.length > 0) this.#told(changed);
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Not there now.
    return undefined;
  }
}
