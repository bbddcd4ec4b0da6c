/** DMI-7xx: a device that tells changes by itself. */
import { getEventListeners } from 'node:events';
import { Garbled, Refused, Unreachable } from '../errors.ts';
import type { Connection, Reading, Sink } from '../mapper.ts';
import type { Value } from '../value.ts';
import { Broken, NotApplicable } from './broken.ts';
import { close, nothingLeft } from './connecting.ts';
import { type DmiPromise, onRig } from './promise.ts';
import { baseline } from './reading.ts';
import { value } from './outcome.ts';
import type { Rig } from './rig.ts';
import type { SubjectItem } from './subject.ts';
import { good, same, show } from './values.ts';

/** Every change is wanted: what is tried here is over in a moment. */
const EVERY_MS = 1;
/** Long enough for what must not come to come. */
const QUIET_MS = 50;
/** So many changes, one right after the other. */
const BURST = 25;

export const telling: readonly DmiPromise[] = [
  onRig('DMI-701', 'subscribing is answered with indexes of wishes, each once', async (rig) => {
    const { polled } = await subscribe(rig, await rig.connect(), rig.subject.items);
    const right = polled.every((index) => rig.subject.items[index] !== undefined);
    if (!right || new Set(polled).size !== polled.length) {
      const count = rig.subject.items.length;
      throw new Broken(`of ${count} wishes it cannot tell those at [${polled.join()}]`);
    }
  }),
  onRig('DMI-702', 'each value is told at the start, under the index of its wish', async (rig) => {
    const connection = await rig.connect();
    const known = await baseline(rig, connection);
    for (const items of [rig.subject.items, rig.subject.items.toReversed()]) {
      const watch = await subscribe(rig, connection, items);
      for (const [index, item] of told(watch)) {
        await hear(rig, watch, index, known.get(item) ?? null);
      }
      watch.life.abort();
    }
  }),
  onRig('DMI-703', 'a change is told', async (rig) => {
    const connection = await rig.connect();
    const watch = await subscribe(rig, connection, rig.subject.items);
    for (const [index, item] of writable(watch)) {
      for (const wanted of item.writes ?? []) {
        await hear(rig, watch, index, await write(rig, connection, item, wanted));
      }
    }
  }),
  onRig(
    'DMI-704',
    'after its signal a subscription tells nothing and leaves nothing',
    async (rig) => {
      const connection = await rig.connect();
      const watch = await subscribe(rig, connection, rig.subject.items);
      const [[, item]] = writable(watch);
      watch.life.abort();
      const before = watch.readings.length;
      for (const wanted of item.writes ?? []) await write(rig, connection, item, wanted);
      await rig.until(() => false, QUIET_MS);
      if (watch.readings.length > before) throw new Broken('it went on telling');
      const listeners = getEventListeners(watch.life.signal, 'abort').length;
      if (listeners > 0) throw new Broken(`it left ${listeners} listeners on its signal`);
      if (watch.losses.length > 0) throw new Broken('an ended subscription is not a lost one');
      await close(rig, connection);
      await nothingLeft(rig, 'close after a subscription');
    },
  ),
  onRig(
    'DMI-705',
    'a wire that is cut is told as lost, once, and nothing after it',
    async (rig) => {
      const connection = await rig.connect();
      const watch = await subscribe(rig, connection, rig.subject.items);
      await rig.cut();
      if (!(await rig.until(() => watch.losses.length > 0))) throw new Broken('it was not told');
      const before = watch.readings.length;
      await rig.until(() => false, QUIET_MS);
      const [error] = watch.losses;
      if (!(error instanceof Unreachable || error instanceof Garbled)) {
        throw new Broken(`it must be lost by Unreachable or Garbled, not ${error?.name}`);
      }
      if (watch.losses.length > 1) throw new Broken(`it was lost ${watch.losses.length} times`);
      if (watch.readings.length > before) throw new Broken('it told readings after it was lost');
      await close(rig, connection);
      await nothingLeft(rig, 'close after a lost subscription');
    },
  ),
  onRig(
    'DMI-706',
    'a burst of changes is told no more often than it has changes, and ends with the last',
    async (rig) => {
      const connection = await rig.connect();
      const watch = await subscribe(rig, connection, rig.subject.items);
      const [[index, item]] = writable(watch);
      const wishes = item.writes ?? [];
      const before = count(watch, index);
      let last: Value = null;
      for (let change = 0; change < BURST; change++) {
        last = await write(rig, connection, item, wishes[change % wishes.length] ?? null);
      }
      await hear(rig, watch, index, last);
      await rig.until(() => false, QUIET_MS);
      // One more where the start value came late.
      const after = count(watch, index) - before;
      if (after > BURST + 1) throw new Broken(`${BURST} changes were told ${after} times`);
    },
  ),
  onRig('DMI-707', 'a new subscription takes the place of the one that ended', async (rig) => {
    const connection = await rig.connect();
    const first = await subscribe(rig, connection, rig.subject.items);
    const [[, item]] = writable(first);
    first.life.abort();
    const silent = first.readings.length;
    const second = await subscribe(rig, connection, [item]);
    for (const wanted of item.writes ?? []) {
      await hear(rig, second, 0, await write(rig, connection, item, wanted));
    }
    if (first.readings.length > silent) throw new Broken('the one that ended went on telling');
  }),
];

/** A subscription, and what was told. */
interface Watch {
  readonly items: readonly SubjectItem[];
  readonly life: AbortController;
  readonly polled: readonly number[];
  readonly readings: readonly { readonly index: number; readonly reading: Reading }[];
  readonly losses: readonly Error[];
}

async function subscribe(
  rig: Rig,
  connection: Connection<unknown>,
  items: readonly SubjectItem[],
): Promise<Watch> {
  const ask = connection.subscribe?.bind(connection);
  if (ask === undefined) throw new NotApplicable('the mapper does not subscribe');
  const readings: Watch['readings'][number][] = [];
  const losses: Error[] = [];
  const sink: Sink = {
    reading: (index, reading) => void readings.push({ index, reading }),
    lost: (error) => void losses.push(error),
  };
  const life = new AbortController();
  const wishes = items.map(({ visitor }) => ({ visitor: rig.visitor(visitor), everyMs: EVERY_MS }));
  const outcome = await rig.call(() => ask(wishes, sink, life.signal), 'healthy');
  if (outcome.kind === 'error' && outcome.error instanceof Refused) {
    throw new NotApplicable('the device serves no subscription');
  }
  const polled = value<unknown>(outcome, 'subscribe');
  if (!isIndexes(polled)) throw new Broken('it must be answered with a list of whole numbers');
  return { items, life, polled, readings, losses };
}

function isIndexes(answer: unknown): answer is readonly number[] {
  return Array.isArray(answer) && answer.every((index) => Number.isInteger(index));
}

/** What the device tells by itself. */
function told({ items, polled }: Watch): readonly (readonly [number, SubjectItem])[] {
  return [...items.entries()].filter(([index]) => !polled.includes(index));
}

type Indexed = readonly [number, SubjectItem];

function writable(watch: Watch): readonly [Indexed, ...Indexed[]] {
  const [first, ...more] = told(watch).filter(([, item]) => (item.writes?.length ?? 0) > 0);
  if (first === undefined) throw new NotApplicable('the subject can write nothing that is told');
  return [first, ...more];
}

async function write(
  rig: Rig,
  connection: Connection<unknown>,
  item: SubjectItem,
  wanted: Value,
): Promise<Value> {
  const visitor = rig.visitor(item.visitor);
  const outcome = await rig.call((signal) => connection.write(visitor, wanted, signal), 'healthy');
  return value(outcome, `write of ${show(wanted)}`);
}

/** Waits until the last reading told of this wish has this value. */
async function hear(rig: Rig, watch: Watch, index: number, wanted: Value): Promise<void> {
  const name = `"${watch.items[index]?.property.name}" (wish ${index})`;
  const last = (): Reading | undefined =>
    watch.readings.findLast((each) => each.index === index)?.reading;
  const right = (): boolean => {
    const reading = last();
    return reading?.ok === true && same(reading.value, wanted);
  };
  if (await rig.until(right)) return;
  const found = last();
  const instead = found === undefined ? 'nothing' : show(good(found, name));
  throw new Broken(`${name} must be told as ${show(wanted)}; told was ${instead}`);
}

function count({ readings }: Watch, index: number): number {
  return readings.filter((each) => each.index === index).length;
}
