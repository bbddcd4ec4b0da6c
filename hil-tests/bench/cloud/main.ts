/** `npm run bench:cloud`: measures this machine and prints figures; it judges nothing and fails only when it cannot measure. */
import process from 'node:process';
import { asked, HELP } from './arguments.ts';
import { bench } from './bench.ts';
import { writeScalePage } from './scale-page.ts';
import { table } from './table.ts';

const { help, json, scalePage, updates, ...rest } = asked(process.argv.slice(2));

if (help) {
  process.stdout.write(HELP);
} else {
  const say = (what: string): void => void process.stderr.write(`${what} ...\n`);
  const result = await bench({ ...rest, updatesPerS: updates, say });
  process.stdout.write(json ? `${JSON.stringify(result, null, 2)}\n` : table(result));
  if (result.fault !== undefined) process.exitCode = 1;
  else if (scalePage) await writeScalePage(result);
}
