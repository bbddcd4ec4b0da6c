/** What queries may take of the service. */
export interface QuerySettings {
  /** Rows that one may read and look up, about. */
  readonly costCeiling: number;
  /** Whatever runs longer is stopped. */
  readonly longestMs: number;
  /** So many run at once; so many more wait, and one more is answered 429. */
  readonly running: number;
  readonly waiting: number;
  /** From here on one is recorded as slow. */
  readonly slowMs: number;
  /** Slow ones that are kept. */
  readonly slowKept: number;
}

export const QUERY_SETTINGS: QuerySettings = {
  costCeiling: 5_000_000,
  longestMs: 10_000,
  running: 2,
  waiting: 32,
  slowMs: 250,
  slowKept: 100,
};
