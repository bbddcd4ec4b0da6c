/** Which properties models have: asked for each row that an edge reports, so kept. */
import type { DeviceModel } from '@limpet/dmi/manifest';
import type { Objects } from './objects.ts';

export class Declared {
  readonly #objects: Objects;
  /** As many as there are models. */
  readonly #models = new Map<string, ReadonlySet<string>>();

  constructor(objects: Objects) {
    this.#objects = objects;
  }

  /** Of the model `namespace/name`; undefined: there is none, and any property may be one of it. */
  async of(model: string): Promise<ReadonlySet<string> | undefined> {
    const known = this.#models.get(model);
    if (known !== undefined) return known;
    const doc = (await this.#objects.get('DeviceModel', model))?.doc;
    if (doc?.kind !== 'DeviceModel') return undefined;
    const names = namesOf(doc);
    this.#models.set(model, names);
    return names;
  }

  /** The model is changing. */
  forget(model: string): void {
    this.#models.delete(model);
  }

  /** Something was rolled back. */
  unsure(): void {
    this.#models.clear();
  }
}

export function namesOf({ spec }: DeviceModel): ReadonlySet<string> {
  return new Set(spec.properties.map(({ name }) => name));
}
