/**
 * Holds mappers to their budgets: each child is looked at every second, and where cgroups can be made the kernel stops what
 * happens between two looks. What was taken is kept by name over restarts, for the budget table.
 */
import type { Clock, Log } from '@limpet/dmi';
import { type BudgetRow, formatQuantity, type Reason } from '@limpet/dmi/manifest';
import type { Cage, Cgroups } from './cgroups.ts';
import { AT_ONCE, type Excess, IN_A_ROW, weigh, WITHIN } from './over.ts';
import { MemoryProbe } from './process-memory.ts';
import { CGROUP_ALLOWANCE } from './share.ts';

/** The code of a mapper that was stopped for want of memory. */
const MAPPER_MEMORY = 'MAPPER_MEMORY';

/** A mapper's process. */
export interface Child {
  /** The protocol: one running child per name, a successor beside it while it takes over. */
  readonly name: string;
  readonly pid: number;
  readonly budgetBytes: number;
  /** Asked once, when it must be stopped; it may be started again. */
  over(reason: Reason): void;
}

/** What hosting a mapper needs of memory budgets. */
export interface MemoryGuard {
  /**
   * Watches a child from right after its spawn. The returned function ends that, to be called once it has exited, and
   * says why the kernel ended it, if it was for memory.
   */
  admit(child: Child): () => Reason | undefined;
}

export const LOOK_EVERY_MS = 1_000;

/** What is known under one name, over restarts. */
interface Account {
  budget: number;
  peak: number;
  over: number;
}

interface Watched {
  readonly child: Child;
  readonly account: Account;
  readonly probe: MemoryProbe | undefined;
  readonly cage: Cage | undefined;
  excess: Excess;
  now: number;
}

export interface GuardOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly cgroups?: Cgroups | undefined;
}

export class ProcessGuard implements MemoryGuard {
  readonly #options: GuardOptions;
  readonly #accounts = new Map<string, Account>();
  readonly #watched = new Set<Watched>();
  /** Cages whose process has not quite ended: at most one per child of the last moments. */
  readonly #leaving = new Set<Cage>();
  #serial = 0;

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  admit(child: Child): () => Reason | undefined {
    const { name, budgetBytes } = child;
    const account = this.#accounts.get(name) ?? { budget: 0, peak: 0, over: 0 };
    account.budget = budgetBytes;
    this.#accounts.set(name, account);
    const watched: Watched = {
      child,
      account,
      probe: this.#probe(child),
      cage: this.#cage(child),
      excess: WITHIN,
      now: 0,
    };
    this.#watched.add(watched);
    return () => this.#release(watched);
  }

  /** Looks at each child once. */
  look(): void {
    for (const cage of this.#leaving) if (cage.remove()) this.#leaving.delete(cage);
    for (const watched of this.#watched) this.#weigh(watched);
  }

  /** Private memory of all children at the last look. */
  sum(): number {
    let sum = 0;
    for (const { now } of this.#watched) sum += now;
    return sum;
  }

  /** What `name` takes now and took at most; `undefined` where no child of that name was ever admitted. */
  taken(
    name: string,
  ): { readonly now: number; readonly peak: number; readonly budget: number } | undefined {
    const account = this.#accounts.get(name);
    if (account === undefined) return undefined;
    return { now: this.#now(name), peak: account.peak, budget: account.budget };
  }

  /** The rows of the budget table, read in detail. */
  rows(): readonly BudgetRow[] {
    return [...this.#accounts].map(([name, { budget, peak, over }]) => {
      const [watched] = [...this.#watched].filter(({ child }) => child.name === name);
      const detail = watched?.probe?.detail();
      const charged =
        watched?.cage === undefined ? undefined : tried(() => watched.cage?.charged() ?? 0);
      return {
        kind: 'memory',
        what: `mapper ${name}`,
        budget,
        now: this.#now(name),
        peak,
        over,
        ...(detail !== undefined && detail),
        ...(charged !== undefined && { charged }),
      };
    });
  }

  /** Once all children are stopped. */
  close(): void {
    for (const watched of this.#watched) this.#release(watched);
    for (const cage of this.#leaving) cage.remove();
    this.#leaving.clear();
    this.#options.cgroups?.close();
  }

  #now(name: string): number {
    let now = 0;
    for (const watched of this.#watched) if (watched.child.name === name) now += watched.now;
    return now;
  }

  #probe({ name, pid }: Child): MemoryProbe | undefined {
    try {
      return new MemoryProbe(pid);
    } catch (error) {
      this.#options.log.warn('memory of a mapper cannot be watched', {
        protocol: name,
        pid,
        error,
      });
      return undefined;
    }
  }

  /** Each child has a cgroup of its own: a successor runs beside the one it replaces. */
  #cage({ name, pid, budgetBytes }: Child): Cage | undefined {
    const { cgroups, log } = this.#options;
    if (cgroups === undefined) return undefined;
    this.#serial += 1;
    try {
      const cage = cgroups.cage(`${name}-${this.#serial}`, budgetBytes + CGROUP_ALLOWANCE);
      cage.enter(pid);
      return cage;
    } catch (error) {
      log.warn('mapper runs without a memory cgroup', { protocol: name, pid, error });
      return undefined;
    }
  }

  #weigh(watched: Watched): void {
    const { child, account, probe } = watched;
    const taken = probe?.look();
    if (taken === undefined) return;
    watched.now = taken.private;
    account.peak = Math.max(account.peak, taken.private);
    const { after, event } = weigh(watched.excess, taken.private, child.budgetBytes);
    watched.excess = after;
    if (!event) return;
    account.over += 1;
    const reason = overReason(child, taken.private);
    this.#options.log.error('mapper over its memory budget', {
      protocol: child.name,
      pid: child.pid,
      privateBytes: taken.private,
      budgetBytes: child.budgetBytes,
    });
    child.over(reason);
  }

  #release(watched: Watched): Reason | undefined {
    if (!this.#watched.delete(watched)) return undefined;
    const { child, account, probe, cage } = watched;
    probe?.close();
    if (cage === undefined) return undefined;
    const kills = tried(() => cage.kills()) ?? 0;
    if (!cage.remove()) this.#leaving.add(cage);
    if (kills === 0) return undefined;
    account.over += 1;
    const limit = child.budgetBytes + CGROUP_ALLOWANCE;
    this.#options.log.error('mapper ended by the kernel: out of memory', {
      protocol: child.name,
      pid: child.pid,
      limitBytes: limit,
      budgetBytes: child.budgetBytes,
    });
    return {
      code: MAPPER_MEMORY,
      message: `the kernel ended it at ${formatQuantity(limit)} (budget ${formatQuantity(child.budgetBytes)} plus ${formatQuantity(CGROUP_ALLOWANCE)} for the kernel and files): ${WAY_OUT}`,
    };
  }
}

const WAY_OUT = 'mend its leak, or give it more (mappers.PROTOCOL.memory in limpet.yaml)';

function overReason({ budgetBytes }: Child, bytes: number): Reason {
  const at = bytes > budgetBytes * AT_ONCE ? 'a quarter beyond' : `${IN_A_ROW} s beyond`;
  const mi = (bytes / 2 ** 20).toFixed(1);
  return {
    code: MAPPER_MEMORY,
    message: `stopped at ${mi} MiB of private memory, ${at} its budget of ${formatQuantity(budgetBytes)}: ${WAY_OUT}`,
  };
}

function tried(read: () => number): number | undefined {
  try {
    return read();
  } catch {
    return undefined; // the cgroup went with its process
  }
}
