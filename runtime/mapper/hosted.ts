/** What supervision needs of a mapper's process, of whoever holds it to its memory, and of what is started. */
import { type Mapper } from '@limpet/dmi';
import { type Reason } from '@limpet/dmi/manifest';
import { type Conduct } from './conduct.ts';
import { type Exit } from './exit-reason.ts';

/** A process from its first moment, ready or not. */
export interface Spawned {
  readonly pid: number;
  /** The last that it printed. */
  lines(): readonly string[];
  kill(): void;
}

/** A process with a ready mapper in it. */
export interface Hosted extends Spawned {
  readonly mapper: Mapper<unknown, unknown>;
  /** Readings that it replaced by later ones because the core was slow. */
  readonly superseded: number;
  /** Resolves once it is gone; never rejects. */
  readonly exited: Promise<Exit>;
  /** Rejects when there is no answer. */
  health(signal: AbortSignal): Promise<Conduct>;
  /** Asks it to end, and kills it after `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** Holds processes to their memory. */
export interface MemoryGuard {
  /**
   * Watches the child until the returned function is called, which says why the kernel ended it, if it was for memory.
   * `over` is told when it has more than its budget.
   */
  admit(child: {
    readonly name: string;
    readonly pid: number;
    readonly budgetBytes: number;
    over(reason: Reason): void;
  }): () => Reason | undefined;
}

/** What is started: the mapper as its files and its terms are now. */
export interface Edition {
  readonly version: string;
  readonly budgetBytes: number;
  readonly importance: number;
  /** @throws Misconfigured when it can never run; Unreachable when it did not get ready */
  launch(spawned: (child: Spawned) => void): Promise<Hosted>;
}
