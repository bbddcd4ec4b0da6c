/** `npm run bench`: measures this machine and prints figures; it judges nothing and fails only when it cannot measure. */
import { cpus, release } from 'node:os';
import process from 'node:process';
import { parseArgs } from 'node:util';
import type { Figure } from './figure.ts';
import { polled, told } from './fleet/figures.ts';
import { latency } from './latency.ts';
import { load } from './load.ts';
import { offline } from './offline.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    node: { type: 'string' },
    only: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
});

const HELP = `npm run bench -- [--quick] [--json] [--only PART] [--node FILE]
  Latency, load, memory and resync of the edge bundle against the cloud service, on loopback.
  --quick       about three minutes: smaller samples, no search for the most properties
  --json        one JSON document on stdout
  --only PART   only parts with this in their name: latency, resync, load, modbus, opcua
  --node FILE   another Node for the edge, in modbus and opcua
`;

if (values.help) {
  process.stdout.write(HELP);
} else {
  const figures: Figure[] = [];
  const parts: readonly [name: string, run: () => Promise<readonly Figure[]>][] = [
    ['latency', () => latency()],
    ['resync after a long time offline', () => offline(values.quick)],
    ['load and memory', () => load(values.quick)],
    ['modbus, mapper in the core', () => polled('inline', values.quick, values.node)],
    ['modbus, mapper in a process', () => polled('process', values.quick, values.node)],
    ['opcua', () => told(values.quick, values.node)],
  ];
  for (const [name, run] of parts.filter(([name]) => name.includes(values.only))) {
    if (!values.json) process.stderr.write(`measuring ${name} ...\n`);
    figures.push(...(await run()));
  }
  const node =
    values.node === undefined ? process.version : `${process.version}; edge: ${values.node}`;
  const machine = `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, Linux ${release()}, Node ${node}`;
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
