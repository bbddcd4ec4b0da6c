/** Many nodes in one process, and the changes they report. */
import { Histogram } from './histogram.ts';
import { LoadNode } from './load-node.ts';
import type { Order, Told } from './orders.ts';
import { PROPERTIES } from './plant.ts';

/** Properties of one device that change together: one report, as a batch of registers makes. */
const PAGE = 5;
const TICK_MS = 10;
/** Dials per turn of the event loop, so that the answers of the first are heard before the last is made. */
const DIALS = 50;

export class Generator {
  readonly #nodes: LoadNode[] = [];
  readonly #latency = new Histogram();
  readonly #counts = { offered: 0, acknowledged: 0, superseded: 0 };
  readonly #faults: Record<string, number> = {};
  #timer: NodeJS.Timeout | undefined;

  connect(order: Extract<Order, { readonly kind: 'connect' }>): void {
    const url = new URL(order.url);
    const made = Array.from({ length: order.count }, (_, i) => {
      return new LoadNode({
        node: order.first + i,
        url,
        counts: this.#counts,
        acknowledged: (ms) => this.#latency.add(ms),
        fault: (code) => (this.#faults[code] = (this.#faults[code] ?? 0) + 1),
      });
    });
    this.#nodes.push(...made);
    dial(made);
  }

  declare(devices: number, which: 'tenth' | 'rest'): void {
    this.#nodes.forEach(({ twins }, i) => {
      if (twins.devices === 0 && (which === 'rest' || i % 10 === 0)) twins.declare(devices);
    });
  }

  change(perSecond: number): void {
    clearInterval(this.#timer);
    if (perSecond === 0) return;
    const start = performance.now();
    let done = 0;
    this.#timer = setInterval(() => {
      // By the clock: a generator that was held up makes up for it, and what it offered is what it says.
      const due = ((performance.now() - start) * perSecond) / 1000;
      for (; done + PAGE <= due; done += PAGE) this.#changeOne();
    }, TICK_MS);
  }

  told(): Told {
    return {
      ...this.#counts,
      connected: this.#nodes.filter(({ connected }) => connected).length,
      pending: this.#nodes.reduce((sum, { twins }) => sum + twins.pending, 0),
      latency: this.#latency.take(),
      faults: this.#faults,
    };
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const node of this.#nodes) node.stop();
  }

  #changeOne(): void {
    const { twins } = this.#nodes[Math.floor(Math.random() * this.#nodes.length)] ?? {};
    if (twins === undefined || twins.devices === 0) return;
    const index = Math.floor(Math.random() * twins.devices);
    twins.change(index, Math.floor(Math.random() * PROPERTIES.length), PAGE);
  }
}

function dial(nodes: readonly LoadNode[]): void {
  for (const node of nodes.slice(0, DIALS)) node.start();
  if (nodes.length > DIALS) setImmediate(() => dial(nodes.slice(DIALS)));
}
