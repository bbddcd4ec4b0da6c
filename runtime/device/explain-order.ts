/** Where an order waits, or why what it asks for is not so (pure). */
import { type Desired } from '@limpet/dmi/manifest';
import { same } from './convert.ts';
import { explainAway } from './explain-away.ts';
import { type Found, held, type PropertyFacts, valueText, when } from './explain-facts.ts';

/** `undefined`: there is no order, or it was carried out and is so. */
export function explainOrder(facts: PropertyFacts): Found | undefined {
  const { desired } = facts;
  if (desired === undefined || desired.value === null) return undefined;
  switch (desired.verdict) {
    case 'pending':
      return explainPending(facts, desired);
    case 'applied':
      return explainDrift(facts, desired);
    case 'expired':
      return refused(desired, 'give it again, with more time (limpet set --expires) or without');
    case 'rejected':
      return refused(desired, 'mend what the reason says and give it again: it is not repeated');
  }
}

function refused({ verdict, reason, stages }: Desired<number>, todo: string): Found {
  const message = `${verdict}: ${reason?.message ?? 'no reason was told'}`;
  const known = when({ code: reason?.code, since: stages.sent ?? stages.stored });
  return { stage: 'device', effect: 'stops', message, todo, ...known };
}

function explainDrift(facts: PropertyFacts, desired: Desired<number>): Found | undefined {
  const { condition, life, reported, property } = facts;
  if (condition?.state !== 'online' || !life.settled || reported?.quality !== 'good')
    return undefined;
  if (same(reported.value, desired.value)) return undefined;
  return {
    stage: 'device',
    effect: 'explains',
    message: `it was applied, but the device says ${valueText(reported.value, property?.unit)} now: it rounds, or somebody changed it there`,
    todo: 'it is written again only when the device comes back, or when it is ordered anew',
    since: reported.at,
  };
}

function explainPending(facts: PropertyFacts, { stages }: Desired<number>): Found {
  const { condition, life, property } = facts;
  if (condition?.state !== 'online') {
    const { message, ...why } = explainAway(facts);
    return { ...why, message: `it waits for the device: ${message}` };
  }
  const since = when({ since: stages.sent ?? stages.stored });
  if (stages.sent !== undefined) {
    const message = 'it was written, and is being read back';
    return { stage: 'device', effect: 'stops', message, ...since };
  }
  if (property === undefined) {
    const message = 'it waits for a model that has this property';
    return { stage: 'manifest', effect: 'stops', message, todo: 'add it to the model', ...since };
  }
  if (!life.settled) {
    const message = 'it waits until everything was read once: the device may be so already';
    return { stage: 'schedule', effect: 'stops', message, ...since };
  }
  const message = `it waits for its turn${held(facts)}`;
  return { stage: 'port', effect: 'stops', message, ...since };
}
