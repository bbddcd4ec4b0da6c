/**
 * What one reader has been told: which rows it has, and of what value. Pure. The last events can be taken back, for a
 * reader that did not get them.
 *
 * Invariant: a row is entered only when the reader has it not, left only when it has it, updated only when its
 * values are others.
 */
import { hash } from 'node:crypto';
import type { Json } from '@limpet/dmi';
import { canonical } from '#protocol/query';

export type Change = 'enter' | 'update' | 'leave';

/** 48 bits: of a row's values, or of the whole set. */
export type Digest = number;

export interface Offer {
  /** The row's key, as text; where an owner has one row only, the owner. */
  readonly key: string;
  /** Whose row it is: a device, node or model by id; '' of a group. */
  readonly owner: string;
  /** Of its values; undefined: there is no such row. */
  readonly digest: Digest | undefined;
}

interface Undo {
  readonly key: string;
  readonly owner: string;
  readonly was: Digest | undefined;
}

const SPACE = 2 ** 48;

export class Told {
  readonly #undoes: number;
  readonly #rows = new Map<string, Digest>();
  /** By owner, where they are not the same. */
  readonly #keys = new Map<string, Set<string>>();
  #undo: Undo[] = [];
  #seq = 0;
  #sum: Digest = 0;

  /** `undoes`: how many events can be taken back. */
  constructor(undoes: number) {
    this.#undoes = undoes;
  }

  get size(): number {
    return this.#rows.size;
  }

  /** Events so far. */
  get seq(): number {
    return this.#seq;
  }

  /** Of all rows and their values, in no order. */
  get digest(): Digest {
    return this.#sum;
  }

  keys(): Iterable<string> {
    return this.#rows.keys();
  }

  /** Keys of the rows of one owner that the reader has. */
  of(owner: string): readonly string[] {
    return this.#rows.has(owner) ? [owner] : [...(this.#keys.get(owner) ?? [])];
  }

  /** What the reader has to be told of this row, if anything; it then has been. */
  offer({ key, owner, digest }: Offer): Change | undefined {
    const was = this.#rows.get(key);
    if (was === digest) return undefined;
    this.#set(key, owner, digest);
    this.#seq += 1;
    this.#undo.push({ key, owner, was });
    // Not each time: cutting the front of an array is work.
    if (this.#undo.length >= this.#undoes * 2) this.#undo = this.#undo.slice(-this.#undoes);
    if (was === undefined) return 'enter';
    return digest === undefined ? 'leave' : 'update';
  }

  /** The reader has got the events up to `seq` only. Returns whose rows are in doubt; undefined: that is not known any more. */
  rewind(seq: number): ReadonlySet<string> | undefined {
    const back = this.#seq - seq;
    if (back < 0 || back > this.#undo.length) return undefined;
    const owners = new Set<string>();
    for (let left = back; left > 0; left--) {
      const last = this.#undo.pop();
      if (last === undefined) break;
      this.#set(last.key, last.owner, last.was);
      owners.add(last.owner);
    }
    this.#seq = seq;
    return owners;
  }

  /** The reader has nothing; what it had before is of no concern any more. */
  clear(): void {
    this.#rows.clear();
    this.#keys.clear();
    this.#sum = 0;
    this.settle();
  }

  /** Nothing until now can be taken back. */
  settle(): void {
    this.#undo = [];
    this.#seq += 1;
  }

  #set(key: string, owner: string, digest: Digest | undefined): void {
    const was = this.#rows.get(key);
    if (was !== undefined) this.#sum = (this.#sum + SPACE - placed(key, was)) % SPACE;
    if (digest === undefined) this.#rows.delete(key);
    else {
      this.#sum = (this.#sum + placed(key, digest)) % SPACE;
      this.#rows.set(key, digest);
    }
    if (key !== owner) this.#own(key, owner, digest !== undefined);
  }

  #own(key: string, owner: string, has: boolean): void {
    const keys = this.#keys.get(owner) ?? new Set();
    if (has) keys.add(key);
    else keys.delete(key);
    if (keys.size > 0) this.#keys.set(owner, keys);
    else this.#keys.delete(owner);
  }
}

/** Two lists of values have one digest when they are the same. */
export function digestOf(values: readonly Json[]): Digest {
  return hash48(canonical(values));
}

function placed(key: string, digest: Digest): Digest {
  return hash48(`${digest} ${key}`);
}

function hash48(text: string): number {
  return Number.parseInt(hash('sha1', text, 'hex').slice(0, 12), 16);
}
