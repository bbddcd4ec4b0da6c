/** How a session finds out what to tell: the two ways are rows.ts and whole.ts. */
import type { RowKey, StandingEvent } from '#protocol/api';
import type { SqlCatalog } from '#protocol/query';
import type { StandingLimits } from './limits.ts';
import type { Plan } from './plan.ts';
import type { StandingReads } from './reads.ts';
import type { StandingTally, Teller } from './teller.ts';

export interface AskingParts {
  readonly reads: StandingReads;
  readonly limits: StandingLimits;
  readonly teller: Teller;
  readonly tally: StandingTally;
  readonly monotonic: () => number;
}

/** What is asked now. */
export interface Asked {
  readonly plan: Plan;
  readonly catalog: SqlCatalog;
}

export interface Asking {
  /** Everything up to this version has been looked at. */
  readonly since: number;
  /** How the rows stand, where that means something. */
  readonly order: readonly RowKey[] | undefined;
  /** Something may have changed. */
  stir(): void;
  /** These owners' rows are to be looked at again, changed or not. */
  doubt(owners: ReadonlySet<string>): void;
  /** When, by the monotonic clock, a step makes sense. */
  due(plan: Plan): number;
  /** Reads a little. @throws ApiError, QueryError */
  step(asked: Asked): Promise<readonly StandingEvent[]>;
}
