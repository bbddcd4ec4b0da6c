/** Why the value of a property is as it is, as far as its device is concerned (pure): from what is in memory. */
import { formatDuration, type Reported } from '@limpet/dmi/manifest';
import { explainAway } from './explain-away.ts';
import { age, type Found, held, type PropertyFacts, valueText, when } from './explain-facts.ts';
import { overdueAfterMs } from './schedule.ts';

/** That a value was not read for so long is worth telling, also where it is as it should be. */
const FRESH_MS = 5_000;

/** Why there is no newer value: the first that applies. */
export function explainValue(facts: PropertyFacts): Found {
  const { condition, reported } = facts;
  if (condition?.state !== 'online') return explainAway(facts);
  if (isLate(facts)) return explainLate(facts);
  if (reported === undefined || reported.quality === 'stale') return explainUnread(facts, reported);
  if (reported.quality === 'bad') return explainBad(facts, reported);
  return explainDeadband(facts, reported) ?? explainStill(facts, reported);
}

function explainUnread({ life }: PropertyFacts, reported: Reported<number> | undefined): Found {
  const { reason, at: since } = reported ?? {};
  const why = reason === undefined ? '' : ` (${reason.message})`;
  const message = `not read since the device is there${why}: the first reading is under way`;
  const known = when({ code: reason?.code, since, until: life.nextMs });
  return { stage: 'schedule', effect: 'stops', message, ...known };
}

/** Not read for longer than a value may be taken for the device's. */
function isLate({ life, nowMs, reported }: PropertyFacts): boolean {
  if (reported?.reason?.code === 'OVERDUE') return true;
  const { everyMs, nextMs, readMs } = life;
  if (everyMs === undefined || nextMs === undefined || readMs === undefined) return false;
  return nowMs - readMs > overdueAfterMs(everyMs);
}

function explainLate(facts: PropertyFacts): Found {
  const { life, nowMs, reported } = facts;
  const { port, everyMs = 0, readMs } = life;
  const ago = readMs === undefined ? 'not read yet' : `last read ${age(nowMs - readMs)} ago`;
  const late = `${ago}, though it is due every ${formatDuration(everyMs)}`;
  const known = when({ code: reported?.reason?.code, since: readMs ?? reported?.at });
  if (port?.shared === true && port.holder !== undefined && port.holder !== facts.device) {
    const todo = `read fewer properties of the devices at ${port.port}, or less often; "limpet top" shows its load`;
    return {
      stage: 'port',
      effect: 'stops',
      message: `${late}: it waits${held(facts)}`,
      todo,
      ...known,
    };
  }
  const todo = 'make "every" in the model longer, or read fewer properties of this device';
  return {
    stage: 'device',
    effect: 'stops',
    message: `${late}: the device is too slow`,
    todo,
    ...known,
  };
}

function explainBad({ property, life }: PropertyFacts, { reason, at }: Reported<number>): Found {
  const message = reason?.message ?? 'no reason was told';
  const known = when({ code: reason?.code, since: at, until: life.nextMs });
  // Messages of ours say what to do.
  if (reason?.code.startsWith('VALUE_') === true) {
    return { stage: 'conversion', effect: 'stops', message, ...known };
  }
  if (reason?.code === 'MAPPER_FAULT')
    return { stage: 'mapper', effect: 'stops', message, ...known };
  return {
    stage: 'device',
    effect: 'stops',
    message: `the device answers, but not for this property: ${message}`,
    todo: `check the visitor of "${property?.name ?? ''}" in the model against the manual of the device, or take it out`,
    ...known,
  };
}

function explainDeadband(
  { property, life, nowMs }: PropertyFacts,
  { value, at: since }: Reported<number>,
): Found | undefined {
  const { raw, readMs = nowMs } = life;
  const { deadband, unit } = property ?? {};
  if (deadband === undefined || raw === undefined || raw === value) return undefined;
  const [said, last, limit] = [raw, value, deadband].map((each) => valueText(each, unit));
  return {
    stage: 'deadband',
    effect: 'explains',
    message: `the device says ${said} (read ${age(nowMs - readMs)} ago), less than the deadband of ${limit} from the ${last} last reported`,
    todo: 'make "deadband" in the model smaller to see smaller changes',
    since,
  };
}

function explainStill({ life, nowMs }: PropertyFacts, { at }: Reported<number>): Found {
  const { readMs, nextMs, everyMs = 0 } = life;
  const readAgo = readMs === undefined ? undefined : nowMs - readMs;
  if (nextMs !== undefined && readAgo !== undefined && readAgo > FRESH_MS) {
    return {
      stage: 'schedule',
      effect: 'explains',
      message: `not due yet: it is read every ${formatDuration(everyMs)}, and was ${age(readAgo)} ago`,
      todo: 'make "every" in the model shorter to read it more often',
      ...when({ since: readMs, until: nextMs }),
    };
  }
  const told =
    nextMs === undefined
      ? 'the device, which tells changes by itself, has told none since'
      : 'it has not changed since';
  const read =
    readAgo === undefined || nextMs === undefined ? '' : `; it was read ${age(readAgo)} ago`;
  const message = `nothing is wrong: the value is ${age(nowMs - at)} old because ${told}${read}`;
  return { stage: 'none', effect: 'explains', message, since: at };
}
