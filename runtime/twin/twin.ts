/** The rules of one property's twin, pure: each takes a twin and gives the changed one, or nothing when nothing changed. */
import { type Json } from '@limpet/dmi';
import {
  type Desired,
  type PropertyTwin,
  type Reason,
  type Reported,
  type Verdict,
} from '@limpet/dmi/manifest';

/** How far an order got: stage times in ms since 1970, and what became of it. */
export interface Step {
  readonly sent?: number;
  readonly confirmed?: number;
  readonly verdict?: Verdict;
  readonly reason?: Reason;
  /** What the device reported when the order was applied, after its rounding. */
  readonly readBack?: Json;
}

type Twin = PropertyTwin<number>;

/** A reading as the device room judged it, laid over the twin. */
export function withReported(twin: Twin, reported: Reported<number>): Twin | undefined {
  const held = twin.reported;
  const same =
    held !== undefined &&
    held.at === reported.at &&
    held.quality === reported.quality &&
    sameJson(held.value, reported.value) &&
    sameReason(held.reason, reported.reason);
  return same ? undefined : { ...twin, reported };
}

/** The highest rev wins, whoever issued it and in whichever order orders arrive. */
export function withDesired(twin: Twin, desired: Desired<number>): Twin | undefined {
  return (twin.desired?.rev ?? 0) >= desired.rev ? undefined : { ...twin, desired };
}

/**
 * Progress of the order `rev`; of any other order it is too late news. A final verdict may be replaced by
 * another one (the device was asked again), never by `pending`.
 */
export function judged(twin: Twin, rev: number, step: Step): Twin | undefined {
  const held = twin.desired;
  if (held === undefined || held.rev !== rev) return undefined;
  const verdict =
    step.verdict === 'pending' && held.verdict !== 'pending'
      ? held.verdict
      : (step.verdict ?? held.verdict);
  const reason = step.verdict === verdict ? step.reason : held.reason;
  const { reason: _replaced, ...rest } = held;
  const desired: Desired<number> = {
    ...rest,
    verdict,
    ...(reason && { reason }),
    stages: {
      ...held.stages,
      ...(step.sent !== undefined && { sent: step.sent }),
      ...(step.confirmed !== undefined && { confirmed: step.confirmed }),
    },
  };
  return sameJson(desired as unknown as Json, held as unknown as Json)
    ? undefined
    : { ...twin, desired };
}

/** A new order, taken and on disk at `now`. Withdrawing one (`null`) asks nothing of the device, so it is applied. */
export function newDesired(
  order: { readonly value: Json; readonly rev: number; readonly accepted: number },
  stored: number,
  expires: number | undefined,
): Desired<number> {
  return {
    value: order.value,
    rev: order.rev,
    verdict: order.value === null ? 'applied' : 'pending',
    ...(expires !== undefined && { expires }),
    stages: { accepted: order.accepted, stored },
  };
}

/**
 * Whether ordering `value` once more would change nothing: it is under way, or it was applied and the device
 * still says so. An order that runs out is under way only until then, so asking again is a new one.
 */
export function alreadyOrdered(
  twin: Twin,
  value: Json,
  order: { readonly readBack: Json | undefined; readonly expires: boolean },
): boolean {
  const { desired, reported } = twin;
  if (desired === undefined || !sameJson(desired.value, value)) return false;
  if (value === null) return true;
  if (desired.verdict === 'pending') return !order.expires;
  if (desired.verdict !== 'applied' || reported?.quality !== 'good') return false;
  return sameJson(reported.value, value) || sameJson(reported.value, order.readBack);
}

/** What a twin read from disk is worth until the device has answered. */
export function fromDisk(twin: Twin): Twin {
  if (twin.reported === undefined) return twin;
  return {
    ...twin,
    reported: {
      ...twin.reported,
      quality: 'stale',
      reason: {
        code: 'NOT_READ_SINCE_START',
        message: 'the edge was restarted and the device has not answered since',
      },
    },
  };
}

/** Equality of what JSON can say; the order of an object's keys does not count. */
export function sameJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = Object.keys(a);
  if (left.length !== Object.keys(b).length) return false;
  return left.every(
    (key) =>
      Object.hasOwn(b, key) &&
      sameJson((a as Record<string, Json>)[key], (b as Record<string, Json>)[key]),
  );
}

export function sameReason(a: Reason | undefined, b: Reason | undefined): boolean {
  return a?.code === b?.code && a?.message === b?.message;
}
