/** Who has to be told after a commit: dirty keys, never events. */
import type { Kind } from '@limpet/dmi/manifest';

export interface Changed {
  readonly resources: readonly { readonly kind: Kind; readonly id: string }[];
  /** Nodes for which there is something new in the wanted stream; `all`: for every one. */
  readonly nodes: ReadonlySet<string> | 'all';
}

/** Of transactions that failed. */
const MAX_UNSURE = 10_000;

export class Touched {
  /** Key: kind and id. Re-inserted on each touch, so that the order is that of the last versions. */
  #resources = new Map<string, { readonly kind: Kind; readonly id: string }>();
  #nodes = new Set<string>();
  #all = false;

  resource(kind: Kind, id: string): void {
    const key = `${kind} ${id}`;
    this.#resources.delete(key);
    this.#resources.set(key, { kind, id });
  }

  node(name: string): void {
    this.#nodes.add(name);
  }

  everyNode(): void {
    this.#all = true;
  }

  /** A transaction failed, and may yet be there: what it touched is told with the next, or in its place that it may be anything. */
  unsure(): void {
    if (this.#resources.size + this.#nodes.size <= MAX_UNSURE) return;
    this.take();
    this.everyNode();
  }

  /** What was touched since the last call. */
  take(): Changed {
    const changed = {
      resources: [...this.#resources.values()],
      nodes: this.#all ? ('all' as const) : this.#nodes,
    };
    this.#resources = new Map();
    this.#nodes = new Set();
    this.#all = false;
    return changed;
  }
}
