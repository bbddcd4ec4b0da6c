/** All the load's nodes, in several processes. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { Histogram } from './histogram.ts';
import type { LoadCounts } from './load-twins.ts';
import type { Order, Told } from './orders.ts';

export interface FleetCounts extends LoadCounts {
  readonly connected: number;
  readonly pending: number;
  /** From change to acknowledgement, of those since the counts were asked last. */
  readonly latency: Histogram;
  readonly faults: Readonly<Record<string, number>>;
}

export class Fleet {
  readonly #children: readonly ChildProcess[];

  private constructor(children: readonly ChildProcess[]) {
    this.#children = children;
  }

  static async start(processes: number): Promise<Fleet> {
    const file = path.join(import.meta.dirname, 'generator-process.ts');
    const children = Array.from({ length: processes }, () =>
      fork(file, { execArgv: ['--conditions=source', '--disable-warning=ExperimentalWarning'] }),
    );
    await Promise.all(children.map((child) => answer(child)));
    return new Fleet(children);
  }

  get pids(): readonly number[] {
    return this.#children.flatMap(({ pid }) => pid ?? []);
  }

  /** Node 0 to `nodes - 1`. */
  connect(url: string, nodes: number): void {
    let first = 0;
    this.#children.forEach((child, i) => {
      const count = Math.floor(((i + 1) * nodes) / this.#children.length) - first;
      send(child, { kind: 'connect', url, first, count });
      first += count;
    });
  }

  declare(devices: number, which: 'tenth' | 'rest'): void {
    for (const child of this.#children) send(child, { kind: 'declare', devices, which });
  }

  change(perSecond: number): void {
    const each = perSecond / this.#children.length;
    for (const child of this.#children) send(child, { kind: 'change', perSecond: each });
  }

  async counts(): Promise<FleetCounts> {
    const all = await Promise.all(
      this.#children.map((child) => {
        const told = answer(child);
        send(child, { kind: 'tell' });
        return told as Promise<Told>;
      }),
    );
    const latency = new Histogram();
    const faults: Record<string, number> = {};
    for (const told of all) {
      latency.merge(told.latency);
      for (const [code, times] of Object.entries(told.faults)) {
        faults[code] = (faults[code] ?? 0) + times;
      }
    }
    const sum = (of: (told: Told) => number): number => all.reduce((so, told) => so + of(told), 0);
    return {
      offered: sum(({ offered }) => offered),
      acknowledged: sum(({ acknowledged }) => acknowledged),
      superseded: sum(({ superseded }) => superseded),
      connected: sum(({ connected }) => connected),
      pending: sum(({ pending }) => pending),
      latency,
      faults,
    };
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const gone = once(child, 'exit');
        if (child.connected) child.disconnect();
        await gone;
      }),
    );
  }
}

function send(child: ChildProcess, order: Order): void {
  child.send(order);
}

/** The next thing it says. @throws Error when it ends instead */
async function answer(child: ChildProcess): Promise<unknown> {
  const stop = new AbortController();
  const { signal } = stop;
  try {
    return await Promise.race([
      once(child, 'message', { signal }).then(([said]) => said as unknown),
      once(child, 'exit', { signal }).then(([code]) => {
        throw new Error(`a generator of nodes ended (exit code ${String(code)})`);
      }),
    ]);
  } finally {
    stop.abort();
  }
}
