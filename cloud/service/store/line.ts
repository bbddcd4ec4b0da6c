/** The one line of numbers from which all versions and revs of the cloud come. */
import { randomInt } from 'node:crypto';
import { nextRev } from '@limpet/dmi/manifest';
import { one, type Sql } from './sql.ts';

/** Revs above this (the year 2100) are not believed: they would use up the safe integers. */
export const MAX_REV = Date.UTC(2100, 0) * 2000;

const AHEAD = 2 ** 24;

export class Line {
  readonly #now: () => number;
  readonly #sql: Sql;
  #last: number;
  #saved: number;

  static async open(sql: Sql, now: () => number): Promise<Line> {
    const row = await one(sql.all<{ last: number }>('SELECT last FROM line'));
    return new Line(sql, now, row?.last ?? 0);
  }

  private constructor(sql: Sql, now: () => number, last: number) {
    this.#now = now;
    this.#sql = sql;
    this.#last = last;
    this.#saved = last;
    // Ahead of the clock (an edge's was), time alone does not keep a restored copy from giving out the numbers of
    // the lost history once more: some seconds of the line at most, at random, does.
    if (last > now() * 2000) this.#last += 2 * randomInt(AHEAD);
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
  async save(): Promise<void> {
    const last = this.#last;
    if (last === this.#saved) return;
    await this.#sql.run('UPDATE line SET last = $1', last);
    this.#saved = last;
  }

  /** The transaction was rolled back: what it saved is not on the disk. */
  unsaved(): void {
    this.#saved = -1;
  }
}
