/** The one line of numbers from which all versions and revs of the cloud come. */
import { randomInt } from 'node:crypto';
import type { Database, Statement } from 'better-sqlite3';
import { nextRev } from '@limpet/dmi/manifest';

/** Revs above this (the year 2100) are not believed: they would use up the safe integers. */
export const MAX_REV = Date.UTC(2100, 0) * 2000;

const AHEAD = 2 ** 24;

export class Line {
  readonly #now: () => number;
  readonly #save: Statement;
  #last: number;
  #saved: number;

  constructor(db: Database, now: () => number) {
    this.#now = now;
    this.#save = db.prepare('UPDATE line SET last = ?');
    this.#last = Number(db.prepare('SELECT last FROM line').pluck().get());
    this.#saved = this.#last;
    // Ahead of the clock (an edge's was), time alone does not keep a restored copy from giving out the numbers of
    // the lost history once more: some seconds of the line at most, at random, does.
    if (this.#last > now() * 2000) this.#last += 2 * randomInt(AHEAD);
  }

  /** The highest number given out or seen. */
  last(): number {
    return this.#last;
  }

  next(): number {
    this.#last = nextRev(this.#last, this.#now(), 'cloud');
    return this.#last;
  }

  /** Whatever comes next is above `rev`. */
  saw(rev: number): void {
    if (rev > this.#last && rev <= MAX_REV) this.#last = rev;
  }

  /** Inside the transaction that used the numbers. */
  save(): void {
    if (this.#last === this.#saved) return;
    this.#save.run(this.#last);
    this.#saved = this.#last;
  }

  /** The transaction was rolled back: what it saved is not on the disk. */
  unsaved(): void {
    this.#saved = -1;
  }
}
