/**
 * Tells the cloud what the node tells of itself, when it changed: looked at every 30 s, at once when somebody says that it
 * matters (a mapper's state), and every 5 min whatever happens, so that uptime there is not far off.
 */
import type { Clock } from '@limpet/dmi';
import type { NodeFacts } from '@limpet/dmi/manifest';

const LOOK_MS = 30_000;
const ANYWAY_MS = 300_000;
/** However fast a mapper crashes, facts are no flood. */
const APART_MS = 2_000;

export interface FactsTellerOptions {
  readonly clock: Clock;
  readonly facts: () => NodeFacts;
  readonly send: (facts: NodeFacts) => void;
}

/** Lives as long as one conversation. */
export class FactsTeller {
  readonly #options: FactsTellerOptions;
  #told = '';
  #toldMs = Number.NEGATIVE_INFINITY;
  #cancel: () => void = () => undefined;

  constructor(options: FactsTellerOptions) {
    this.#options = options;
  }

  /** `told`: what the hello said. */
  start(told: NodeFacts): void {
    this.#remember(told);
    this.#wait(LOOK_MS);
  }

  /** Something changed that nobody should wait 30 s for. Safe to call any number of times. */
  hasten(): void {
    this.#wait(Math.max(0, this.#toldMs + APART_MS - this.#options.clock.monotonic()));
  }

  stop(): void {
    this.#cancel();
  }

  #wait(ms: number): void {
    this.#cancel();
    this.#cancel = this.#options.clock.after(ms, () => {
      this.#wait(LOOK_MS);
      this.#look();
    });
  }

  #look(): void {
    const { clock, facts, send } = this.#options;
    const now = facts();
    const due = clock.monotonic() - this.#toldMs >= ANYWAY_MS;
    if (!due && essence(now) === this.#told) return;
    this.#remember(now);
    send(now);
  }

  #remember(facts: NodeFacts): void {
    this.#told = essence(facts);
    this.#toldMs = this.#options.clock.monotonic();
  }
}

const MIB = 2 ** 20;
/** What moves by itself all the time, and is worth no message of its own. */
const RESTLESS = new Set(['uptime', 'available', 'lookMicroseconds', 'superseded', 'total']);

/** Facts with what is restless left out and sizes in steps of 4 MiB: as long as it is the same, nothing is news. */
function essence(facts: NodeFacts): string {
  return JSON.stringify(facts, (key, value: unknown) => {
    if (RESTLESS.has(key)) return undefined;
    return typeof value === 'number' && value > MIB ? Math.round(value / (4 * MIB)) : value;
  });
}
