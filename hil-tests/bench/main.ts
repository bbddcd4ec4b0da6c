/** `npm run bench`: measures this machine and prints figures; it judges nothing and fails only when it cannot measure. */
import { cpus, release } from 'node:os';
import process from 'node:process';
import { parseArgs } from 'node:util';
import type { Figure } from './figure.ts';
import { latency } from './latency.ts';
import { load } from './load.ts';
import { offline } from './offline.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const HELP = `npm run bench -- [--quick] [--json]
  Latency, load, memory and resync of the edge bundle against the cloud service, on loopback.
  --quick   about a minute: smaller samples, no search for the most properties
  --json    one JSON document on stdout
`;

if (values.help) {
  process.stdout.write(HELP);
} else {
  const figures: Figure[] = [];
  const parts: readonly [name: string, run: () => Promise<readonly Figure[]>][] = [
    ['latency', () => latency()],
    ['resync after a long time offline', () => offline(values.quick)],
    ['load and memory', () => load(values.quick)],
  ];
  for (const [name, run] of parts) {
    if (!values.json) process.stderr.write(`measuring ${name} ...\n`);
    figures.push(...(await run()));
  }
  const machine = `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, Linux ${release()}, Node ${process.version}`;
  process.stdout.write(
    values.json ? `${JSON.stringify({ machine, figures }, null, 2)}\n` : table(machine, figures),
  );
}

function table(machine: string, figures: readonly Figure[]): string {
  const width = Math.max(...figures.map(({ what }) => what.length));
  const lines = figures.map(({ what, value, unit, goal }) =>
    `${what.padEnd(width)}  ${String(value).padStart(9)} ${unit.padEnd(10)} ${goal ?? ''}`.trimEnd(),
  );
  return `${machine}\n\n${lines.join('\n')}\n`;
}
