/** Why a device that is not online is not (pure). */
import { type Reason } from '@limpet/dmi/manifest';
import {
  age,
  type Found,
  held,
  ofMapper,
  type PropertyFacts,
  times,
  when,
} from './explain-facts.ts';

const CHECK_DEVICE =
  'check its power, its cable and the address in its settings; "limpet capture DEVICE --edge PLACE" shows what goes over its wire';

export function explainAway(facts: PropertyFacts): Found {
  const { condition, life } = facts;
  const { state, reason, lastSeen: since } = condition ?? { state: 'connecting' as const };
  if (state === 'misconfigured' && reason !== undefined) return misconfigured(reason, since);
  if (reason !== undefined && ofMapper(reason)) {
    return {
      stage: 'mapper',
      effect: 'stops',
      message: `the mapper of the device failed: ${reason.message}`,
      todo: 'see "limpet get mappers" for its state and what it printed last',
      ...when({ code: reason.code, since, until: life.untilMs }),
    };
  }
  if (state === 'offline') return silent(facts, reason);
  const why = reason === undefined ? '' : `: ${reason.message}`;
  const message = `the device is being connected, and has not answered yet${why}${held(facts)}`;
  return { stage: 'device', effect: 'stops', message, ...when({ code: reason?.code, since }) };
}

function misconfigured(reason: Reason, since: number | undefined): Found {
  return {
    stage: ofMapper(reason) ? 'mapper' : 'manifest',
    effect: 'stops',
    message: reason.message,
    todo: 'correct the manifest of the device or of its model and apply it: then it is tried again at once',
    ...when({ code: reason.code, since }),
  };
}

function silent({ condition, life, nowMs }: PropertyFacts, reason: Reason | undefined): Found {
  const why = reason === undefined ? '' : `: ${reason.message.replace(/\.$/, '')}`;
  const found = { effect: 'stops', todo: CHECK_DEVICE } as const;
  const known = when({
    code: reason?.code,
    since: condition?.lastSeen,
    until: life.untilMs,
  });
  const { attempts, untilMs } = life;
  if (life.doing !== 'resting') {
    const message = `the device does not answer${why}; it is being tried now, after ${times(attempts)} in vain`;
    return { ...found, stage: 'device', message, ...known };
  }
  const next =
    untilMs === undefined
      ? 'it is tried again after other lost devices of its port'
      : `it is tried again in ${age(untilMs - nowMs)}`;
  const message = `the device does not answer${why}; after ${times(attempts)} in vain it has a pause, so that it does not hold up others: ${next}`;
  return { ...found, stage: 'breaker', message, ...known };
}
