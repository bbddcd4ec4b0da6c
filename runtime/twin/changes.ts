/** Tells what changed, synchronously, once it is so in memory. */
import { type Log } from '@limpet/dmi';
import { type Id, type PropertyTwin, type ResourceRow } from '@limpet/dmi/manifest';
import { type DeviceCondition } from './twins.ts';

export type Change =
  | {
      readonly kind: 'property';
      readonly what: 'reported' | 'desired';
      readonly device: Id;
      readonly property: string;
      readonly twin: PropertyTwin<number>;
    }
  | { readonly kind: 'device'; readonly device: Id; readonly condition: DeviceCondition }
  /** `doc` is null when the resource is gone, and for a device that is beyond the node's limits. */
  | ({ readonly kind: 'resource' } & Pick<ResourceRow, 'type' | 'id' | 'doc'>);

export class Changes {
  readonly #listeners = new Set<(change: Change) => void>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  onChange(listener: (change: Change) => void): () => void {
    // A wrapper each, so that one function listening twice is two listeners.
    const own = (change: Change): void => listener(change);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** A listener that throws has a bug; it keeps neither the store nor the other listeners from going on. */
  emit(change: Change): void {
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        this.#log.error('a listener of the twin store failed', { kind: change.kind, error });
      }
    }
  }
}
