/** The conformance run: every promise of the DMI, tried on a mapper and its simulator against each other. */
import test, { after } from 'node:test';
import type { Mapper, MaybeLater } from '../mapper.ts';
import { Late, NotApplicable } from './broken.ts';
import { agreeing } from './agreeing.ts';
import { calling } from './calling.ts';
import { closing, connecting } from './connecting.ts';
import { declaring } from './declaring.ts';
import { discovering } from './discovering.ts';
import { flooding } from './flooding.ts';
import { losing } from './losing.ts';
import { sharing } from './sharing.ts';
import { slowness } from './slowness.ts';
import { steps } from './steps.ts';
import type { DmiPromise } from './promise.ts';
import { randomFaults } from './random-faults.ts';
import { reading } from './reading.ts';
import type { Assertion, Subject } from './subject.ts';
import { telling } from './telling.ts';
import { Trial } from './trial.ts';
import { writing } from './writing.ts';

const PROMISES: readonly DmiPromise[] = [
  ...declaring,
  ...connecting,
  ...reading,
  ...writing,
  ...losing,
  ...steps,
  ...slowness,
  ...flooding,
  ...closing,
  ...randomFaults,
  ...telling,
  ...agreeing,
  ...sharing,
  ...calling,
  ...discovering,
];

/** Tries the promises, or `only` those of these ids, one after the other, and says of each what became of it. */
export async function* runConformance<Settings, Visitor>(
  mapper: Mapper<Settings, Visitor>,
  subject: Subject,
  only?: Iterable<string>,
): AsyncGenerator<Assertion> {
  const ids = new Set(only ?? PROMISES.map(({ id }) => id));
  for (const id of ids) {
    if (!PROMISES.some((each) => each.id === id))
      throw new TypeError(`there is no promise "${id}"`);
  }
  const trial = new Trial(mapper, subject);
  try {
    for (const promise of PROMISES) {
      if (ids.has(promise.id)) yield await tried(promise, trial);
    }
  } finally {
    await trial.close();
  }
}

/** Registers one node:test per promise; a promise that does not apply is skipped with its reason. */
export function checkMapper<Settings, Visitor>(
  mapper: Mapper<Settings, Visitor>,
  subject: Subject,
): void {
  const trial = new Trial(mapper, subject);
  after(() => trial.close());
  for (const promise of PROMISES) {
    test(`${promise.id}: ${promise.title}`, async (t) => {
      const { result, reason } = await tried(promise, trial);
      if (result === 'fail') throw new Error(`${promise.id}: ${reason}`);
      if (result === 'not-applicable') t.skip(reason);
    });
  }
}

async function tried({ id, title, keep }: DmiPromise, trial: Trial): Promise<Assertion> {
  try {
    await again(() => keep(trial));
    return { id, title, result: 'pass' };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return {
      id,
      title,
      result: error instanceof NotApplicable ? 'not-applicable' : 'fail',
      reason,
    };
  }
}

/** What is {@link Late} has two more chances: so slow thrice is no accident. */
async function again(keep: () => MaybeLater<void>): Promise<void> {
  for (let chances = 2; chances > 0; chances--) {
    try {
      return await keep();
    } catch (error) {
      if (!(error instanceof Late)) throw error;
    }
  }
  await keep();
}
