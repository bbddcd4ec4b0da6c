/** A process for the tests to kill: orders and reports without end, and tells each order once it is taken. */
import { writeSync } from 'node:fs';
import { systemClock } from '../kernel/clock.ts';
import { good, testLog } from './fixtures.ts';
import { TwinStore } from './store.ts';

const [path = '', from] = process.argv.slice(2);
const store = TwinStore.open({ path, clock: systemClock, log: testLog() });
for (let value = Number(from) + 1; ; value++) {
  store.report('default/a', new Map([['x', good(value, value)]]));
  store.report('default/b', new Map([['text', good(`${value}`.repeat(200), value)]]));
  store.order('default/a', 'x', value);
  writeSync(1, `${value}\n`);
  if (value % 5 === 0) store.flush();
}
