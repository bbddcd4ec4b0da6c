/** Texts that are nearly queries, and texts that mean harm. */
import type { Random } from './random.fixture.ts';

const PROPERTIES = ['temperature', 'setpoint', 'running', 'serial', 'config', 'mode'];

/** A text with some of it missing, doubled or strange. */
export function mutated(random: Random, text: string): string {
  let here = text;
  for (let times = 1 + random.below(3); times > 0; times--) {
    const at = random.below(here.length + 1);
    const length = random.below(8);
    here = random.of([
      here.slice(0, at) + here.slice(at + length),
      here.slice(0, at) + random.of(HOSTILE) + here.slice(at),
      here.slice(0, at) + here.slice(at, at + length) + here.slice(at),
      here.replace(random.of(PROPERTIES), random.of(HOSTILE)),
    ]);
  }
  return here;
}

export const HOSTILE = [
  "'",
  '"',
  ';',
  '--',
  '/*',
  '*/',
  '(',
  ')',
  '((((((((((',
  '\0',
  '\ud800',
  '$1',
  '?1',
  "'; DROP TABLE objects; --",
  '\\',
  '%',
  '[',
  '].',
  '.',
  ',',
  '1e999',
  '99999999999999999999d',
  'NOT ',
  ' AND ',
  ' OR ',
  'NULL',
  '__proto__',
  'constructor',
  'toString',
  '\u{1F600}',
  'count(',
  'x'.repeat(300),
  '1m',
  '-',
  'IN ()',
  'now()',
  'labels."a\'b"',
  'config["',
  'AS OF now()',
];
