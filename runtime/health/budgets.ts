/**
 * The node's budgets, put together: shares the memory out at start, looks at core and mappers once a second, and tells what
 * it found as the rows of one table.
 */
import { type Clock, type Log, Misconfigured } from '@limpet/dmi';
import type { BudgetRow, NodeBudget } from '@limpet/dmi/manifest';
import type { Cgroups } from './cgroups.ts';
import { heapShare } from './collect.ts';
import { LOOK_EVERY_MS, type MemoryGuard, ProcessGuard } from './guard.ts';
import type { Look } from './ladder.ts';
import { type Excess, weigh, WITHIN } from './over.ts';
import { MemoryProbe } from './process-memory.ts';
import {
  type Machine,
  manifestLimits,
  maxProperties,
  type MemoryWish,
  outOfReach,
  overbooked,
  reshare,
  type Share,
  type Sharer,
  shareMemory,
  valueBytes,
} from './share.ts';
import { type Sheddable, type ShedHost, Shortage } from './shortage.ts';

/** Whoever keeps to a budget of its own adds its rows to the table. */
export interface BudgetSource {
  rows(): readonly BudgetRow[];
}

/** The part of the mapper host that budgets need. */
export interface BudgetedHost extends ShedHost {
  status(): readonly (Sharer & {
    readonly state: string;
    readonly importance: number;
    readonly reason?: { readonly code: string } | undefined;
  })[];
}

export interface BudgetsOptions {
  readonly wish: MemoryWish;
  readonly machine: Machine;
  /** Or why there are none. */
  readonly cgroups: Cgroups | string;
  readonly clock: Clock;
  readonly log: Log;
}

/** States in which a mapper takes memory that giving it up would free. */
const RUNNING = new Set(['starting', 'ready', 'restarting', 'unresponsive']);

export class Budgets {
  readonly #options: BudgetsOptions;
  readonly #guard: ProcessGuard;
  readonly #shortage: Shortage;
  readonly #sources = new Set<BudgetSource>();
  readonly #probe = coreProbe();
  #host: BudgetedHost | undefined;
  #share: Share;
  #excess: Excess = WITHIN;
  #core = { now: 0, peak: 0, over: 0 };
  #looks = 0;
  #lookMicroseconds = 0;
  #cancel: (() => void) | undefined;
  readonly #listeners = new Set<() => void>();
  #states = '';
  #unfit: readonly string[] = [];

  constructor(options: BudgetsOptions) {
    this.#options = options;
    const { wish, machine, cgroups, clock, log } = options;
    this.#guard = new ProcessGuard({
      clock,
      log,
      cgroups: typeof cgroups === 'string' ? undefined : cgroups,
    });
    this.#shortage = new Shortage({ clock, log });
    this.#share = shareMemory(wish, machine, []);
  }

  /** For whoever starts mappers in processes of their own. */
  get guard(): MemoryGuard {
    return this.#guard;
  }

  /** How many properties the core's budget takes on; known after `agree`. */
  get maxProperties(): number {
    return maxProperties(this.#share.core);
  }

  /** What the texts and JSON of all twins may take; known after `agree`. */
  get valueBytes(): number {
    return valueBytes(this.#share.core);
  }

  /** What manifests may be; known after `agree`. */
  get manifestLimits(): ReturnType<typeof manifestLimits> {
    return manifestLimits(this.#share.core);
  }

  /**
   * Shares the memory out among these. Again when mappers come or go: the core's part stays what it was agreed on.
   * @throws Misconfigured MEMORY_OVERBOOKED, with the table and what to change
   */
  agree(sharers: readonly Sharer[]): void {
    const { wish, machine, cgroups, log } = this.#options;
    const share = shareMemory(wish, machine, sharers);
    const fault = overbooked(share);
    if (fault !== undefined) throw new Misconfigured('MEMORY_OVERBOOKED', fault);
    this.#share = share;
    const advice = outOfReach(share, machine.heap);
    if (advice !== undefined) {
      const fields = { core: share.core, heap: machine.heap, advice };
      log.warn("V8's heap ends before the core has its budget", fields);
    }
    log.info('memory shared out', {
      ceiling: share.ceiling,
      from: share.from,
      core: share.core,
      mappers: Object.fromEntries(share.mappers.map(({ protocol, bytes }) => [protocol, bytes])),
      enforced: typeof cgroups === 'string' ? 'watchdog' : cgroups.by,
    });
  }

  /** Adds rows to the table. */
  add(source: BudgetSource): () => void {
    this.#sources.add(source);
    return () => void this.#sources.delete(source);
  }

  /** What is asked to give memory back, at which step. */
  sheds(step: 'caches' | 'samples', sheddable: Sheddable): () => void {
    return this.#shortage.add(step, sheddable);
  }

  /** Told within a second of a mapper's change of state. */
  onMapperState(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Looks once a second from now on. */
  start(host?: BudgetedHost): void {
    this.#host = host;
    if (host !== undefined) this.#shortage.host(host);
    this.#again();
  }

  stop(): void {
    this.#cancel?.();
    this.#probe?.close();
    this.#guard.close();
  }

  /** Private memory of a mapper's process, now and at most. */
  taken(protocol: string): ReturnType<ProcessGuard['taken']> {
    return this.#guard.taken(protocol);
  }

  /** The table, with what only a close look tells (1 ms a process). */
  facts(): NodeBudget {
    const { cgroups } = this.#options;
    return {
      ceiling: this.#share.ceiling,
      rows: [this.#coreRow(), ...this.#mapperRows(), ...this.#others()],
      shed: this.#shortage.steps(),
      enforced:
        typeof cgroups === 'string' ? { by: 'watchdog', note: cgroups } : { by: cgroups.by },
      lookMicroseconds: Math.round(this.#lookMicroseconds),
    };
  }

  #again(): void {
    this.#cancel = this.#options.clock.after(LOOK_EVERY_MS, () => {
      this.#again();
      const began = process.cpuUsage();
      const look = this.#look();
      const { user, system } = process.cpuUsage(began);
      // A mean over about a minute, of CPU time: by the clock it would be a measure of the machine's other work.
      this.#looks = Math.min(60, this.#looks + 1);
      this.#lookMicroseconds += (user + system - this.#lookMicroseconds) / this.#looks;
      // What it gives up then is no part of looking.
      if (look !== undefined) this.#shortage.look(look);
    });
  }

  #look(): Look | undefined {
    this.#guard.look();
    const mappers = this.#host?.status() ?? [];
    this.#notice(mappers);
    const now = this.#probe?.look()?.private;
    if (now === undefined) return undefined;
    const { core, ceiling } = this.#share;
    const { after, event } = weigh(this.#excess, now, core);
    this.#excess = after;
    this.#core = {
      now,
      peak: Math.max(this.#core.peak, now),
      over: this.#core.over + (event ? 1 : 0),
    };
    const pressure = Math.max(now / core, (now + this.#guard.sum()) / ceiling, heapShare());
    return {
      nowMs: this.#options.clock.monotonic(),
      pressure,
      // An inline mapper's memory is the core's: stopping it would free next to nothing.
      running: mappers.filter(
        ({ protocol, state, hosting }) =>
          hosting === 'process' && RUNNING.has(state) && !this.#unfit.includes(protocol),
      ),
    };
  }

  #notice(mappers: ReturnType<BudgetedHost['status']>): void {
    const states = mappers
      .map(
        (each) => `${each.protocol} ${each.state} ${each.reason?.code ?? ''} ${each.budgetBytes}`,
      )
      .join('\n');
    if (states === this.#states) return;
    this.#states = states;
    this.#reshare(mappers);
    for (const listener of this.#listeners) listener();
  }

  /** A mapper that was installed or grew while the node runs, and for which there is no room, does not run. */
  #reshare(mappers: readonly Sharer[]): void {
    const { share, unfit } = reshare(this.#share, mappers);
    this.#share = share;
    for (const protocol of this.#unfit) {
      if (!unfit.includes(protocol)) this.#host?.resume(protocol);
    }
    for (const protocol of unfit.filter((each) => !this.#unfit.includes(each))) {
      const message = `its budget does not fit into the node's memory ceiling (${share.from}): raise memory.ceiling, lower memory.core, or give it less (mappers.PROTOCOL.memory in limpet.yaml)`;
      this.#options.log.error('mapper does not fit into the memory of this node', { protocol });
      this.#host?.shed(protocol, { code: 'MEMORY_OVERBOOKED', message });
    }
    this.#unfit = unfit;
  }

  #coreRow(): BudgetRow {
    const detail = this.#probe?.detail();
    const { now, peak, over } = this.#core;
    return {
      kind: 'memory',
      what: 'core',
      budget: this.#share.core,
      now: now === 0 ? (detail?.private ?? 0) : now,
      peak: Math.max(peak, detail?.private ?? 0),
      over,
      ...(detail !== undefined && detail),
    };
  }

  /** Those that never ran are shown with their budget: it is set aside for them. */
  #mapperRows(): readonly BudgetRow[] {
    const rows = this.#guard.rows();
    const known = new Set(rows.map(({ what }) => what));
    const idle = this.#share.mappers
      .map(({ protocol, bytes }): BudgetRow => {
        return {
          kind: 'memory',
          what: `mapper ${protocol}`,
          budget: bytes,
          now: 0,
          peak: 0,
          over: 0,
        };
      })
      .filter(({ what }) => !known.has(what));
    return [...rows, ...idle];
  }

  #others(): readonly BudgetRow[] {
    return [...this.#sources].flatMap((source) => source.rows());
  }
}

/** `undefined` where there is no /proc: then nothing is measured, and the table says 0. */
function coreProbe(): MemoryProbe | undefined {
  try {
    return new MemoryProbe('self');
  } catch {
    return undefined;
  }
}
