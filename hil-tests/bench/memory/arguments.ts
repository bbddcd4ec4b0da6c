/** What `npm run bench:memory` is asked for: read before anything starts, so that a slip costs a second and not an hour. */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { KEYS, type Key } from './subject.ts';

export interface Asked {
  readonly quick: boolean;
  readonly json: boolean;
  readonly save: boolean;
  readonly picture: boolean;
  readonly help: boolean;
  readonly node: string;
  readonly runs: number | undefined;
  readonly hours: number | undefined;
  readonly only: readonly Key[];
}

/** @throws Error that says what was expected */
export function asked(args: readonly string[]): Asked {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
      runs: { type: 'string' },
      only: { type: 'string' },
      hours: { type: 'string' },
      picture: { type: 'boolean', default: false },
      node: { type: 'string', default: process.execPath },
      help: { type: 'boolean', default: false },
    },
  });
  const { runs, hours, only, ...rest } = values;
  if (rest.save && only !== undefined)
    throw new Error('--save keeps the whole table: without --only');
  return {
    ...rest,
    runs: runs === undefined ? undefined : count(runs),
    hours: hours === undefined ? undefined : duration(hours),
    only: only === undefined ? KEYS : keys(only),
  };
}

function count(text: string): number {
  const runs = Number(text);
  if (Number.isInteger(runs) && runs > 0) return runs;
  throw new Error(`--runs must be a whole number from 1 on, not "${text}"`);
}

function duration(text: string): number {
  const hours = Number(text);
  if (Number.isFinite(hours) && hours >= LEAST_HOURS) return hours;
  throw new Error(`--hours must be a number of hours from ${LEAST_HOURS} on, not "${text}"`);
}

/** Below a minute there are too few samples for a slope. */
const LEAST_HOURS = 0.02;

function keys(text: string): readonly Key[] {
  return text.split(',').map((word) => {
    const key = KEYS.find((known) => known === word.trim());
    if (key === undefined) throw new Error(`--only must be of ${KEYS.join(', ')}, not "${word}"`);
    return key;
  });
}
