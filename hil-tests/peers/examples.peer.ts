/** The mappers of `examples/` against devices that are not ours, through `limpet mapper dev` as their authors use it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { until } from '../rig/until.ts';

/** What `limpet mapper dev --json` tells. */
interface Told {
  readonly event: string;
  readonly values?: Readonly<Record<string, unknown>>;
  readonly said?: string;
}

test('a supply on a serial line is set and measured, and what it refuses reaches the author', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'limpet-supply-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const line = join(folder, 'line');
  await device(t, 'scpi_supply.py', line);
  await supply(t, `serial:${line}?baud=9600`);
});

test('a supply on the network is set and measured, and what it refuses reaches the author', async (t) => {
  await supply(t, `tcp://127.0.0.1:${await device(t, 'scpi_supply.py')}`);
});

test('a plug of Python is switched, and its meter read', async (t) => {
  const plug = develop(t, 'http-meter', `http://127.0.0.1:${await device(t, 'meter_plug.py')}`);
  await plug.shows({
    power: 0,
    voltage: 231.8,
    energy: 1843.207,
    output: false,
    firmware: '1.4.4',
  });
  plug.type('output=true');
  await plug.shows({ power: 61.4, output: true });
});

async function supply(t: TestContext, address: string) {
  const supplied = develop(t, 'scpi-supply', address);
  await supplied.shows({ identity: 'PYTHON,PSU-3003,000042,1.07', voltage: 0, output: false });
  supplied.type('output=true');
  await supplied.shows({ voltage: 5, current: 0.5 });
  supplied.type('voltage-limit=29');
  await supplied.says('the supply says -222 Data out of range');
  supplied.type('voltage-limit=8');
  await supplied.shows({ 'voltage-limit': 8, voltage: 8, current: 0.8 });
}

/** Starts one of the Python devices here, and answers the port that it prints first. */
async function device(t: TestContext, file: string, ...given: string[]): Promise<string> {
  const child = spawn('python3', [join(import.meta.dirname, file), ...given], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill());
  const [port] = await once(createInterface(child.stdout), 'line');
  return String(port);
}

function develop(t: TestContext, name: string, address: string) {
  const limpet = join(import.meta.dirname, '../../cli/limpet.mjs');
  const mapper = join(import.meta.dirname, '../examples', name);
  const child = spawn(limpet, ['mapper', 'dev', mapper, '--json', '--set', `address=${address}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(async () => {
    child.stdin.end('quit\n');
    if (child.exitCode === null) await once(child, 'exit');
  });
  const heard: Told[] = [];
  createInterface(child.stdout).on('line', (line) => heard.push(JSON.parse(line) as Told));
  const told = (match: (told: Told) => boolean) =>
    until(() => {
      const found = heard.findIndex(match);
      if (found === -1) return `not told yet; last: ${JSON.stringify(heard.at(-1))}`;
      heard.splice(0, found + 1);
      return undefined;
    });
  return {
    type: (line: string) => void child.stdin.write(`${line}\n`),
    shows: (wanted: Readonly<Record<string, unknown>>) =>
      told(({ values }) => Object.entries(wanted).every(([key, value]) => values?.[key] === value)),
    says: (wanted: string) => told(({ said }) => said?.includes(wanted) ?? false),
  };
}
