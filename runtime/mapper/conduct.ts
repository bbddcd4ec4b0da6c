/** What is told of a mapper that runs, and misbehaves (pure). */
import { type Reason } from '@limpet/dmi/manifest';
import { disobedience, NEVER_TARDY, type Tardy } from './obedience.ts';

/** Counters of one process since its start. */
export interface Conduct {
  /** Readings that it replaced by later ones because the core was slow. */
  readonly superseded: number;
  /** Seconds in which it printed more than is kept. */
  readonly noisy: number;
  readonly refused: { readonly count: number; readonly last: string };
  /** Calls that the core gave up, and that it still has not ended. */
  readonly unended: number;
  /** Those that it ended, or not, later than it should. */
  readonly tardy: Tardy;
}

export const GOOD_CONDUCT: Conduct = {
  superseded: 0,
  noisy: 0,
  refused: { count: 0, last: '' },
  unended: 0,
  tardy: NEVER_TARDY,
};

/** Between two health checks; a few are replaced whenever the core is busy. */
const FLOOD = 1_000;

/**
 * `undefined` when there is nothing to object. What it reached for, and that it does not give up promptly, is told as
 * long as it runs.
 */
export function objection(before: Conduct, now: Conduct): Reason | undefined {
  const { count, last } = now.refused;
  if (count > 0) {
    const message = `it reached for what it may not have, ${count} times, last: ${last}`;
    return { code: 'MAPPER_DENIED', message };
  }
  const replaced = now.superseded - before.superseded;
  if (replaced >= FLOOD) {
    const message = `it tells more than the core takes: ${replaced} readings were replaced by later ones since the last look`;
    return { code: 'MAPPER_FLOODS', message };
  }
  if (now.noisy > before.noisy) {
    const message = 'it prints too much: most of it is left out, and it waits';
    return { code: 'MAPPER_NOISY', message };
  }
  if (now.unended > 0) {
    const message = `it does not answer, nor give up when told to: ${now.unended} calls of its devices never ended`;
    return { code: 'MAPPER_SILENT', message };
  }
  return disobedience(now.tardy);
}
