/**
 * What a rollout does next, from what it is to do, how far it has come and what became of the devices under way. Pure.
 *
 * Every move is carried out in one transaction together with what it changes here, so that a service that is killed between
 * any two of them goes on with the next, and none is made twice.
 */
import type {
  OutcomeState,
  Reason,
  RolloutCounts,
  RolloutPhase,
  Stages,
} from '@limpet/dmi/manifest';
import type { ByProperty, Progress, Terms } from '../store/rollouts.ts';

/** What is known of a device that was told. */
export type Judgement =
  | { readonly kind: 'waits' }
  | { readonly kind: 'applied' }
  | { readonly kind: 'rejected' | 'expired' | 'skipped'; readonly reason: Reason };

/** A device under way. `since`: when its time began to run, ms since 1970. */
export interface Flying {
  readonly place: number;
  readonly since: number;
  readonly judgement: Judgement;
  readonly stages: ByProperty<Stages<number>>;
}

export interface Situation {
  readonly terms: Terms;
  readonly progress: Progress;
  /** Every device that is `sent`. */
  readonly flight: readonly Flying[];
  readonly now: number;
}

/** How one device ended. */
export interface End {
  readonly place: number;
  readonly state: OutcomeState;
  readonly reason?: Reason;
  readonly stages: ByProperty<Stages<number>>;
  /** Its order is to be taken back. */
  readonly takeBack: boolean;
}

export type Move =
  /** Write down more devices. */
  | { readonly do: 'choose' }
  | { readonly do: 'judge'; readonly ends: readonly End[] }
  /** Tell the next `limit` devices; it leaves `left` of this batch after them. */
  | {
      readonly do: 'send';
      readonly phase: 'Canary' | 'Running';
      readonly batch: number;
      readonly limit: number;
      readonly left: number;
    }
  | {
      readonly do: 'enter';
      readonly phase: RolloutPhase;
      readonly reason?: Reason;
      /** Failures that count no more. */
      readonly forgiven?: number;
      /** To be written into its spec. */
      readonly pause?: true;
    }
  /** Restore what was desired by the next `limit` devices. */
  | { readonly do: 'restore'; readonly limit: number }
  /** Nothing before this time, unless something changes. */
  | { readonly do: 'wait'; readonly until?: number }
  /** Nothing, unless its spec changes. */
  | { readonly do: 'rest' };

/** Orders placed in one transaction. */
const ORDERS_AT_ONCE = 50;

const NONE = -1;
const CANARY = 0;

export function next(situation: Situation): Move {
  const { terms, progress } = situation;
  if (!isActive(terms, progress)) return { do: 'rest' };
  if (progress.phase === 'Reverting') {
    if (progress.reverted >= progress.counts.total) return { do: 'enter', phase: 'Reverted' };
    return { do: 'restore', limit: ORDERS_AT_ONCE };
  }
  if (terms.revert) return { do: 'enter', phase: 'Reverting' };
  return progress.chosen ? rolling(situation) : { do: 'choose' };
}

function rolling(situation: Situation): Move {
  const { terms, progress, flight } = situation;
  const ends = flight.map((flying) => endOf(flying, situation)).filter((end) => end !== undefined);
  if (ends.length > 0) return { do: 'judge', ends };
  if (progress.counts.pending === 0 && flight.length === 0) {
    return { do: 'enter', phase: 'Done', ...summary(progress.counts) };
  }
  if (progress.phase === 'Stopped') return stopped(situation);
  const stop = progress.counts.pending > 0 ? stopFor(situation) : undefined;
  if (stop) return { do: 'enter', phase: 'Stopped', reason: stop, pause: true };
  if (terms.paused && progress.counts.pending > 0) {
    return progress.phase === 'Paused' ? waiting(situation) : { do: 'enter', phase: 'Paused' };
  }
  if (progress.phase === 'Paused') return { do: 'enter', phase: rollingPhase(situation) };
  return onward(situation);
}

/** Somebody has to look; the devices under way are still judged. */
function stopped(situation: Situation): Move {
  const { terms, progress, flight } = situation;
  if (!terms.paused) {
    return { do: 'enter', phase: rollingPhase(situation), forgiven: failed(progress.counts) };
  }
  if (!terms.withdraw || flight.length === 0) return waiting(situation);
  const reason = {
    code: 'ROLLOUT_WITHDRAWN',
    message: 'the rollout stopped before it was carried out: the order was taken back',
  };
  const ends = flight.map(({ place, stages }) => {
    return { place, state: 'skipped', reason, stages, takeBack: true } as const;
  });
  return { do: 'judge', ends };
}

function onward(situation: Situation): Move {
  const { terms, progress, flight } = situation;
  const { counts, batch } = progress;
  const left = Math.min(progress.left, counts.pending);
  if (left > 0) return sending(batch, left, batch === CANARY);
  if (flight.length > 0) return waiting(situation);
  const canary = canarySize(terms, counts.total);
  if (batch === NONE && canary > 0) return sending(CANARY, Math.min(canary, counts.pending), true);
  return sending(Math.max(batch, CANARY) + 1, Math.min(terms.batch, counts.pending), false);
}

function sending(batch: number, left: number, canary: boolean): Move {
  const limit = Math.min(left, ORDERS_AT_ONCE);
  const phase = canary ? 'Canary' : 'Running';
  return { do: 'send', phase, batch, limit, left: left - limit };
}

function waiting({ flight, terms }: Situation): Move {
  if (flight.length === 0) return { do: 'wait' };
  return { do: 'wait', until: Math.min(...flight.map(({ since }) => since + terms.timeoutMs)) };
}

/** Whole devices: of a share at least one. */
function canarySize({ canary }: Pick<Terms, 'canary'>, total: number): number {
  if (typeof canary === 'number') return Math.min(canary, total);
  return Math.ceil((total * canary.percent) / 100);
}

/** Whether there is anything to do before its spec changes. */
export function isActive(
  terms: Pick<Terms, 'revert'>,
  { phase }: Pick<Progress, 'phase'>,
): boolean {
  if (phase === 'Failed' || phase === 'Reverted') return false;
  return phase !== 'Done' || terms.revert;
}

/** Devices that have failed. */
function failed({ rejected, expired }: RolloutCounts): number {
  return rejected + expired;
}

function rollingPhase({ progress, terms }: Situation): 'Canary' | 'Running' {
  const { batch, counts } = progress;
  const first = batch === CANARY || (batch === NONE && canarySize(terms, counts.total) > 0);
  return first ? 'Canary' : 'Running';
}

function endOf({ place, since, judgement, stages }: Flying, { terms, now }: Situation) {
  const end = { place, stages, takeBack: false };
  if (judgement.kind === 'applied') return { ...end, state: 'applied' } as const;
  if (judgement.kind !== 'waits') {
    return { ...end, state: judgement.kind, reason: judgement.reason } as const;
  }
  if (now < since + terms.timeoutMs) return undefined;
  const left = terms.withdraw ? 'the order was taken back' : 'the order stands';
  const reason = {
    code: 'ROLLOUT_TIMEOUT',
    message: `not carried out within ${terms.timeoutMs / 1000}s; ${left}`,
  };
  return { ...end, state: 'expired', reason, takeBack: terms.withdraw } as const;
}

function stopFor({ terms, progress }: Situation): Reason | undefined {
  const { counts, batch, forgiven } = progress;
  const fresh = failed(counts) - forgiven;
  const devices = fresh === 1 ? '1 device' : `${fresh} devices`;
  const how = 'see its devices, then set spec.paused to false to go on, or spec.revert to true';
  if (fresh > 0 && batch === CANARY) {
    return { code: 'ROLLOUT_CANARY_FAILED', message: `${devices} of the canary failed: ${how}` };
  }
  if (fresh < terms.maxFailures) return undefined;
  return { code: 'ROLLOUT_MAX_FAILURES', message: `${devices} failed: ${how}` };
}

function summary(counts: RolloutCounts): { readonly reason?: Reason } {
  const { total, skipped } = counts;
  const count = failed(counts);
  if (total === 0) {
    const message = 'no device of this namespace fits the condition';
    return { reason: { code: 'ROLLOUT_EMPTY', message } };
  }
  if (count === 0 && skipped === 0) return {};
  const message = `${count} of ${total} failed, ${skipped} were skipped`;
  return { reason: { code: 'ROLLOUT_INCOMPLETE', message } };
}
