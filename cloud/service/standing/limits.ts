/** What standing queries may take, together and each. Promises of README.md. */
export interface StandingLimits {
  /** With a reader now; one more is answered 429. */
  readonly open: number;
  /** Whose reader has gone, and may come back. */
  readonly remembered: number;
  readonly rememberMs: number;
  /** Of one standing query. */
  readonly rows: number;
  /** Of the values of one answer that is looked at as a whole. */
  readonly bytes: number;
  /** Of all of them together. */
  readonly allRows: number;
  /** Events that a reader may have to be told again. */
  readonly undo: number;
  /** How often an idle reader hears that all is well. */
  readonly bookmarkMs: number;
  /** Between two looks at what changed. */
  readonly lookMs: number;
  /** Between two answers as a whole; also five times as long as one takes. */
  readonly wholeMs: number;
  /** How late a row may be that comes or goes by time alone; also twenty times as long as a look at all takes. */
  readonly tickMs: number;
  /** Devices that one look is about. */
  readonly page: number;
}

export const STANDING_LIMITS: StandingLimits = {
  open: 500,
  remembered: 500,
  rememberMs: 300_000,
  rows: 10_000,
  bytes: 8 * 1024 * 1024,
  allRows: 500_000,
  undo: 4_096,
  bookmarkMs: 15_000,
  lookMs: 20,
  wholeMs: 100,
  tickMs: 1_000,
  page: 256,
};
