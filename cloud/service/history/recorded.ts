/** Which properties their model asks edges to record. */
import type { DeviceModel } from '@limpet/dmi/manifest';
import { one, type Sql } from '../store/sql.ts';

export class Recorded {
  readonly #sql: Sql;
  /** Names by model; as many as there are models. */
  readonly #models = new Map<string, ReadonlySet<string>>();

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** `model`: `namespace/name`. */
  async has(model: string, property: string): Promise<boolean> {
    const known = this.#models.get(model) ?? (await this.#load(model));
    return known.has(property);
  }

  /** Some model changed, or a transaction that changed one was rolled back. */
  forget(): void {
    this.#models.clear();
  }

  async #load(model: string): Promise<ReadonlySet<string>> {
    const row = await one(
      this.#sql.all<{ doc: string }>(
        `SELECT d.doc FROM objects o JOIN docs d ON d.n = o.n WHERE o.kind = 'DeviceModel' AND o.id = $1`,
        model,
      ),
    );
    const properties = row ? (JSON.parse(row.doc) as DeviceModel).spec.properties : [];
    const names = properties.filter(({ history }) => history !== undefined);
    const set = new Set(names.map(({ name }) => name));
    this.#models.set(model, set);
    return set;
  }
}
