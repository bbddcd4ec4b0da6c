/** What a conformance run says of a mapper as a whole. */
import type { Assertion } from './subject.ts';

/**
 * A: everything that applies passes, the fault matrix included. B: the same, but part of the fault matrix could not be
 * tried. C: no value and no order was ever wrong, but something else fails. D: right on a healthy device, wrong under faults.
 * F: wrong on a healthy device, or nothing was tried.
 */
export interface Grade {
  readonly grade: 'A' | 'B' | 'C' | 'D' | 'F';
  /** What keeps it from a better one, with the ids. */
  readonly why: string;
}

/** What can be tried on any mapper whose wire the kit can harm. */
const MATRIX = [
  401, 403, 404, 405, 406, 411, 413, 414, 415, 418, 421, 422, 423, 431, 432, 601, 602,
];
/** About values, and about orders that a device must not get twice. */
const VALUES = [406, 422, 423, 431, 432, 433, 601, 904];
/** Where nothing is harmed: declaring, reading, writing, telling, calling, finding. */
const HEALTHY = /^DMI-(?:[0238]|101|70[12367]|90[123]|91[12])/;

/** Grades a whole run of `runConformance`; see {@link Grade}. */
export function grade(assertions: readonly Assertion[]): Grade {
  const failed = assertions.filter(({ result }) => result === 'fail').map(({ id }) => id);
  const passed = new Set(assertions.filter(({ result }) => result === 'pass').map(({ id }) => id));
  const healthy = failed.filter((id) => HEALTHY.test(id));
  if (healthy.length > 0) return { grade: 'F', why: `wrong on a healthy device: ${list(healthy)}` };
  if (!passed.has('DMI-101')) return { grade: 'F', why: 'the device was never read: DMI-101' };
  const values = failed.filter((id) => VALUES.some((each) => id === `DMI-${each}`));
  if (values.length > 0) return { grade: 'D', why: `wrong under faults: ${list(values)}` };
  if (failed.length > 0)
    return { grade: 'C', why: `no value and no order is wrong; failed: ${list(failed)}` };
  const untried = MATRIX.map((each) => `DMI-${each}`).filter((id) => !passed.has(id));
  if (untried.length > 0) return { grade: 'B', why: `faults not tried: ${list(untried)}` };
  return { grade: 'A', why: 'everything that applies passes, under every fault' };
}

function list(ids: readonly string[]): string {
  return ids.join(', ');
}
