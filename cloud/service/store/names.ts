/** Property names as numbers: a mirror and its indexes carry the number. */
import type { Sql } from './sql.ts';

/** Names over the whole fleet; rows with further ones are not taken, and counted as invalid. */
const MAX_NAMES = 100_000;

export class Names {
  readonly #sql: Sql;
  readonly #numbers: Map<string, number>;
  /** Given out in a transaction that may yet be rolled back. */
  readonly #fresh = new Set<string>();
  /** Whether the database has them is not known. */
  readonly #unsure = new Set<string>();
  #last = 0;

  static async open(sql: Sql): Promise<Names> {
    const rows = await sql.all<{ n: number; name: string }>('SELECT n, name FROM names');
    return new Names(sql, new Map(rows.map(({ n, name }) => [name, n])));
  }

  private constructor(sql: Sql, numbers: Map<string, number>) {
    this.#sql = sql;
    this.#numbers = numbers;
    for (const n of numbers.values()) this.#last = Math.max(this.#last, n);
  }

  /** The number of a name that has been used; committed or not. */
  known(name: string): number | undefined {
    return this.#numbers.get(name);
  }

  /** Undefined once there are too many. */
  async number(name: string): Promise<number | undefined> {
    const known = this.#numbers.get(name);
    if (known !== undefined && !this.#unsure.delete(name)) return known;
    if (known === undefined && this.#numbers.size >= MAX_NAMES) return undefined;
    const n = known ?? ++this.#last;
    this.#numbers.set(name, n);
    this.#fresh.add(name);
    const text = 'INSERT INTO names (n, name) VALUES ($1, $2) ON CONFLICT DO NOTHING';
    await this.#sql.run(text, n, name);
    return n;
  }

  committed(): void {
    this.#fresh.clear();
  }

  /** Something was rolled back: what was given out since the last commit may be there or not, but stays the name's number. */
  unsure(): void {
    for (const name of this.#fresh) this.#unsure.add(name);
    this.#fresh.clear();
  }
}
