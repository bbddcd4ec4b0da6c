/** What became of a device that a rollout has told: from its orders and what the edge says of them. Pure. */
import type { Reason, Stages } from '@limpet/dmi/manifest';
import type { Order } from '../store/desired.ts';
import type { Judged, Mirror } from '../store/mirrors.ts';
import type { ByProperty, RolloutDevice } from '../store/rollouts.ts';
import type { Judgement } from './plan.ts';

export interface Known {
  readonly order: Order | undefined;
  readonly mirror: Mirror | undefined;
}

/** `known`: by property; undefined when the device is gone. */
export function judge(
  { orders = {} }: Pick<RolloutDevice, 'orders'>,
  known: ReadonlyMap<string, Known> | undefined,
): { readonly judgement: Judgement; readonly stages: ByProperty<Stages<number>> } {
  if (known === undefined) return { judgement: { kind: 'skipped', reason: GONE }, stages: {} };
  const parts = Object.entries(orders).map(([property, { rev }]) => {
    const { order, mirror } = known.get(property) ?? { order: undefined, mirror: undefined };
    const judged = mirror?.judged?.rev === rev ? mirror.judged : undefined;
    const part = { property, order, judged };
    return { ...part, judgement: order?.rev === rev ? one(part) : changed([property]) };
  });
  const stages = parts.flatMap(({ property, order, judged }) => {
    return order ? [[property, { accepted: order.accepted, ...judged?.stages }] as const] : [];
  });
  return {
    judgement: worst(parts.map(({ judgement }) => judgement)),
    stages: Object.fromEntries(stages),
  };
}

const GONE: Reason = {
  code: 'ROLLOUT_DEVICE_GONE',
  message: 'the device was deleted, or declared anew, since the rollout began',
};

/** Somebody else has the last word. */
export function changed(properties: readonly string[]): Judgement & { readonly reason: Reason } {
  const what = properties.map((name) => `"${name}"`).join(', ');
  const message = `what is desired of ${what} was changed by somebody else since: left as it is`;
  return { kind: 'skipped', reason: { code: 'ROLLOUT_CHANGED', message } };
}

export function gone(): Reason {
  return GONE;
}

function one(part: {
  readonly property: string;
  readonly order: Order | undefined;
  readonly judged: Judged | undefined;
}): Judgement {
  const { property, order, judged } = part;
  // Nothing is to be carried out.
  if (order?.value === null) return { kind: 'applied' };
  switch (judged?.verdict ?? 'pending') {
    case 'pending':
      return { kind: 'waits' };
    case 'applied':
      return { kind: 'applied' };
    case 'rejected':
      return { kind: 'rejected', reason: reasonOf(judged, `"${property}" was rejected`) };
    case 'expired':
      return { kind: 'expired', reason: reasonOf(judged, `the order for "${property}" expired`) };
  }
}

function reasonOf(judged: Judged | undefined, message: string): Reason {
  return judged?.reason ?? { code: 'ROLLOUT_NOT_APPLIED', message };
}

const RANK = ['skipped', 'rejected', 'expired', 'waits', 'applied'] as const;

function worst(judgements: readonly Judgement[]): Judgement {
  const [first] = judgements.toSorted((a, b) => RANK.indexOf(a.kind) - RANK.indexOf(b.kind));
  return first ?? { kind: 'applied' };
}
