/**
 * A SQLite file in WAL mode as a disk that can lose power: what was synced stays, of what was only written any
 * part of the tail may be gone. Each life of the machine gets copies of its files, so that the dead process,
 * which SQLite would let write on, cannot reach them.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

export class Disk {
  readonly #folder: string;
  readonly #name: string;
  #generation = 0;
  #synced = 0;

  constructor(folder: string, name: string) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
    this.#name = name;
  }

  get path(): string {
    return join(this.#folder, `${this.#name}-${this.#generation}.db`);
  }

  /** Whatever this writes, the program waits until the disk has it, and all before it. */
  synced<T>(work: () => T): T {
    const before = size(`${this.path}-wal`);
    try {
      return work();
    } finally {
      const after = size(`${this.path}-wal`);
      if (after !== before) this.#synced = after;
    }
  }

  /** The process is gone, the machine is not: everything written is there. */
  killed(): void {
    this.#next(this.path);
    this.#synced = size(`${this.path}-wal`);
  }

  /** `kept`: which part of the unsynced tail happened to reach the disk, in [0, 1]. */
  powerLost(kept: number): void {
    this.#next(this.path);
    const wal = `${this.path}-wal`;
    const written = size(wal);
    if (written <= this.#synced) return;
    truncateSync(wal, Math.floor(this.#synced + kept * (written - this.#synced)));
    this.#synced = size(wal);
  }

  /** A copy as a backup makes it. */
  backup(): string {
    const copy = join(this.#folder, `${this.#name}-${this.#generation}-copy.db`);
    copy2(this.path, copy);
    return copy;
  }

  restore(backup: string): void {
    this.#next(backup);
    this.#synced = size(`${this.path}-wal`);
  }

  wiped(): void {
    this.#generation++;
    this.#synced = 0;
  }

  /** Garbage where the file begins. */
  corrupted(): void {
    this.wiped();
    writeFileSync(this.path, 'x'.repeat(4096));
  }

  #next(from: string): void {
    this.#generation++;
    copy2(from, this.path);
  }
}

function copy2(from: string, to: string): void {
  copyFileSync(from, to);
  if (existsSync(`${from}-wal`)) copyFileSync(`${from}-wal`, `${to}-wal`);
}

function size(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
