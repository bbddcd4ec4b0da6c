/** Rollouts broken on purpose, one rule at a time: what the lives must notice. */
import type { RolloutDevice } from '../store/rollouts.ts';
import type { Writing } from '../store/store.ts';
import { REAL, type Variant } from './fleet.fixture.ts';
import { type Move, next, type Situation } from './plan.ts';

const planned = (change: (move: Move, situation: Situation) => Move): Variant => ({
  ...REAL,
  plan: (situation) => change(next(situation), situation),
});

const seeing = (change: (situation: Situation) => Situation): Variant => ({
  ...REAL,
  plan: (situation) => next(change(situation)),
});

/** A part of the store with some methods of the mutant's. */
function withPart<P extends keyof Writing>(
  part: P,
  change: (real: NonNullable<Writing[P]>, tx: Writing) => Partial<Writing[P]>,
): Variant {
  const within = (tx: Writing): Writing => {
    const real = tx[part] as NonNullable<Writing[P]> & object;
    const own = change(real, tx) as Record<PropertyKey, unknown>;
    const mutant = new Proxy(real, {
      get: (target, name) => {
        const found = own[name] ?? Reflect.get(target, name, target);
        return typeof found === 'function' ? (found.bind(target) as unknown) : found;
      },
    });
    return { ...tx, [part]: mutant };
  };
  return { ...REAL, within };
}

/** What the lives desire. */
const WANTED = 50;

export const MUTANTS: Readonly<Record<string, Variant>> = {
  'it does not wait for the canary': planned((move, { terms, progress, flight }) =>
    move.do === 'wait' && flight.length > 0 && progress.batch === 0 && progress.counts.pending > 0
      ? { do: 'send', phase: 'Running', batch: 1, limit: terms.batch, left: 0 }
      : move,
  ),
  'it does not wait for a batch': seeing((situation) => ({
    ...situation,
    flight: situation.progress.batch > 0 ? [] : situation.flight,
  })),
  'it never stops': planned((move) =>
    move.do === 'enter' && move.phase === 'Stopped' ? { do: 'enter', phase: 'Running' } : move,
  ),
  'it stops one failure late': seeing((situation) => ({
    ...situation,
    terms: { ...situation.terms, maxFailures: situation.terms.maxFailures + 3 },
  })),
  'it tells more than the batch': planned((move) =>
    move.do === 'send' ? { ...move, limit: move.limit + 1 } : move,
  ),
  'it counts failures from before it went on': planned((move) =>
    move.do === 'enter' ? { ...move, forgiven: 0 } : move,
  ),
  'a device that was told is not marked': withPart('rollouts', (real) => ({
    putDevices: (devices) =>
      real.putDevices(
        devices.map((device) =>
          device.state === 'sent' && device.place % 3 === 0
            ? { ...device, state: 'pending' }
            : device,
        ),
      ),
  })),
  'it takes back what somebody else has set': withPart('rollouts', (real, { desired }) => ({
    ordered: async (n, after, limit) => {
      const devices = await real.ordered(n, after, limit);
      const newest = await Promise.all(devices.map(({ device }) => desired.of(device)));
      return devices.map((device, at) => {
        const orders = (newest[at] ?? []).map(({ property, rev }) => [
          property,
          { rev, own: true },
        ]);
        return { ...device, orders: Object.fromEntries(orders) as RolloutDevice['orders'] & {} };
      });
    },
  })),
  'it takes back to nothing': withPart('wanted', (real) => ({
    order: (order) => real.order(order.value === WANTED ? order : { ...order, value: null }),
  })),
  'it takes back a device less': withPart('rollouts', (real) => ({
    ordered: async (n, after, limit) => (await real.ordered(n, after, limit)).slice(1),
  })),
};
