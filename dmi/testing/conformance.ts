/** The conformance run: every promise of the DMI, tried on a mapper over in-memory wires. */
import test from 'node:test';
import type { Mapper } from '../mapper.ts';
import { closing, connecting } from './connecting.ts';
import { declaring } from './declaring.ts';
import { losing } from './losing.ts';
import type { DmiPromise } from './promise.ts';
import { randomFaults } from './random-faults.ts';
import { reading } from './reading.ts';
import { NotApplicable } from './rig.ts';
import type { Assertion, Subject } from './subject.ts';
import { telling } from './telling.ts';
import { writing } from './writing.ts';

const PROMISES: readonly DmiPromise[] = [
  ...declaring,
  ...connecting,
  ...reading,
  ...writing,
  ...losing,
  ...closing,
  ...randomFaults,
  ...telling,
];

/** Tries the promises one after the other and says of each what became of it. */
export async function* runConformance<Settings, Visitor>(
  mapper: Mapper<Settings, Visitor>,
  subject: Subject,
): AsyncGenerator<Assertion> {
  for (const promise of PROMISES) yield await tried(promise, mapper, subject);
}

/** Registers one node:test per promise; a promise that does not apply is skipped with its reason. */
export function checkMapper<Settings, Visitor>(
  mapper: Mapper<Settings, Visitor>,
  subject: Subject,
): void {
  for (const promise of PROMISES) {
    test(`${promise.id}: ${promise.title}`, async (t) => {
      const { result, reason } = await tried(promise, mapper, subject);
      if (result === 'fail') throw new Error(`${promise.id}: ${reason}`);
      if (result === 'not-applicable') t.skip(reason);
    });
  }
}

async function tried(
  { id, title, keep }: DmiPromise,
  mapper: Mapper<unknown, unknown>,
  subject: Subject,
): Promise<Assertion> {
  try {
    await keep(mapper, subject);
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
