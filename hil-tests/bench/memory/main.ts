/** `npm run bench:memory`: the whole memory table of this machine, reproduced. It judges goals, and fails only when it cannot measure. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { type Asked, asked } from './arguments.ts';
import { bars } from './bars.ts';
import { Bench, type Column, type Plan } from './bench.ts';
import { Cgroup } from './cgroup.ts';
import { judge } from './goals.ts';
import { type Copies, copyEdge, Image } from './image.ts';
import { LimpetSubject } from './limpet-subject.ts';
import { diskUse, machine } from './machine.ts';
import { NODE_RED, NodeRedSubject } from './node-red-subject.ts';
import { plot, verdict } from './plot.ts';
import type { ConfigurationResult, DiskUse, Machine, Result } from './result.ts';
import { soak } from './soak.ts';
import { Impossible, type Key, type Subject } from './subject.ts';
import { table } from './table.ts';

const HELP = `npm run bench:memory -- [--quick] [--json] [--save] [--runs N] [--only KEY,...] [--node FILE] [--hours N] [--picture]
  W (core, bus with 3 clients, cloud link, SQLite, 1,000 changing Modbus properties at 1 Hz) in each configuration, side by side.
  5 min warm-up, 10 min sampled every 10 s, median of 3 runs: about 50 minutes.
  --quick  30 s warm-up, 60 s sampled, one run
  --json   one JSON document on stdout; progress is on stderr
  --save   also into runtime/health/memory-PLATFORM-ARCH.json, after each run
  --runs   how many runs
  --only   of unlimited, limited, process, node-red (installed for it by npm, pinned, no part of the project)
  --hours  instead of the table, how private memory moves in so many hours (0.05 is 3 minutes): an SVG and a slope
  --picture  only draws the saved result: runtime/health/memory.svg
  --node   the Node that runs what is measured, else the one that runs this
`;

const LIMIT = 30_000_000;
const IMAGE_BYTES = 2 ** 30;
const WORKLOAD =
  'W: core, MQTT bus with 3 clients, cloud link up, SQLite, 1,000 Modbus properties over TCP (10 devices of 100 registers), all changing, at 1 Hz';
const FULL: Plan = { warmUpS: 300, sampledS: 600, everyS: 10, runs: 3, idleS: 60, starts: 5 };
const QUICK: Plan = { warmUpS: 30, sampledS: 60, everyS: 5, runs: 1, idleS: 20, starts: 3 };

const values = read();

const KIND = `${process.platform}-${process.arch}`;
const SAVED = `runtime/health/memory-${KIND}.json`;
const PICTURE = 'runtime/health/memory.svg';

if (values.help) process.stdout.write(HELP);
else if (values.picture) await draw();
else await run();

function read(): Asked {
  try {
    return asked(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`bench:memory: ${(error as Error).message}\n\n${HELP}`);
    process.exit(2);
  }
}

async function draw(): Promise<void> {
  await writeFile(PICTURE, bars(JSON.parse(await readFile(SAVED, 'utf8')) as Result));
  say(`drawn ${PICTURE} from ${SAVED}`);
}

async function run(): Promise<void> {
  const ended = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => ended.abort(new Error(`ended by ${signal}`)));
  const folder = await mkdtemp(path.join(tmpdir(), 'limpet-memory-'));
  let image: Image | undefined;
  try {
    image = await Image.create(folder, IMAGE_BYTES);
    if (values.hours === undefined) await measureAll(image, ended.signal);
    else await soakAll(image, values.hours, ended.signal);
  } catch (error) {
    if (!ended.signal.aborted) throw error;
    say(String(ended.signal.reason));
    process.exitCode = 130;
  } finally {
    await image?.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function measureAll(image: Image, signal: AbortSignal): Promise<void> {
  say('compressing what a board carries');
  const disk = await diskUse(values.node, values.quick ? 9 : 19);
  const plan = {
    ...(values.quick ? QUICK : FULL),
    ...(values.runs !== undefined && { runs: values.runs }),
  };
  const about = machine(values.node, { disk: image.about, cgroup: cgroups() });
  let result: Result | undefined;
  const bench = new Bench({
    plan,
    columns: columns(image),
    say,
    signal,
    cool: () => image.cool(),
    found: async (configurations, runs) => {
      result = compose(about, { plan, disk, configurations, runs });
      await save(result);
    },
  });
  try {
    await bench.run();
  } finally {
    if (result) await print(result);
  }
}

async function soakAll(image: Image, hours: number, signal: AbortSignal): Promise<void> {
  const about = machine(values.node, { disk: image.about, cgroup: cgroups() });
  const kept = columns(image).filter(({ key }) => key === 'unlimited' || key === 'process');
  say(`soaking for ${hours} h`);
  const series = await soak({ hours, columns: kept, say, signal });
  const said = `${about.about}, Node ${about.measuredNode}, ${about.at.slice(0, 10)}. W: 1,000 properties at 1 Hz, cloud up, 3 bus clients.`;
  const file = values.save ? `runtime/health/memory-soak.svg` : 'out/memory-soak.svg';
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, plot(series, said));
  say(`drawn ${file}`);
  const trends = series.map(({ name, trend }) => ({ name, ...trend }));
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ machine: about, hours, trends }, null, 2)}\n`
      : `${series.map(verdict).join('\n')}\n`,
  );
  if (series.length === 0 || series.some(({ trend }) => !trend.holds)) process.exitCode = 1;
}

type Make = (parts: { cgroup: Cgroup | undefined; copies: Copies }) => Promise<Subject>;

function columns(image: Image): readonly Column[] {
  const column = (key: Key, title: string, make: Make, limitBytes?: number): Column => ({
    key,
    title,
    ...(limitBytes !== undefined && { limitBytes }),
    make: async () => {
      const cgroup = openCgroup(key, limitBytes);
      try {
        return await make({ cgroup, copies: await copyEdge(image, key, values.node) });
      } catch (error) {
        await cgroup?.remove();
        throw error;
      }
    },
  });
  const limpet = (key: Key, title: string, limitBytes?: number): Column =>
    column(key, title, (parts) => LimpetSubject.create({ key, ...parts }), limitBytes);
  const all = [
    limpet('unlimited', 'W'),
    limpet('limited', 'W in a memory cgroup of 30,000,000 bytes without swap', LIMIT),
    limpet('process', 'W with the Modbus mapper in its own process'),
    column('node-red', NODE_RED, (parts) => NodeRedSubject.create(parts)),
  ];
  return all.filter(({ key }) => values.only.includes(key));
}

/** Without a limit a cgroup only counts: where there is none, that is all that is lost. */
function openCgroup(key: Key, limitBytes: number | undefined): Cgroup | undefined {
  try {
    return Cgroup.create(`limpet-bench-${key}`, limitBytes);
  } catch (error) {
    if (limitBytes === undefined && error instanceof Impossible) return undefined;
    throw error;
  }
}

function cgroups(): string {
  const probe = openCgroup('unlimited', undefined);
  void probe?.remove();
  return probe === undefined ? 'no memory cgroup here' : `memory cgroup v${probe.version}`;
}

function compose(
  about: Machine,
  parts: {
    plan: Plan;
    disk: DiskUse;
    configurations: readonly ConfigurationResult[];
    runs: number;
  },
): Result {
  const { plan, disk, configurations, runs } = parts;
  return {
    complete: runs === plan.runs,
    machine: about,
    workload: WORKLOAD,
    timing: { warmUpS: plan.warmUpS, sampledS: plan.sampledS, runs },
    disk,
    configurations,
  };
}

async function save(result: Result): Promise<void> {
  if (!values.save) return;
  await writeFile(SAVED, json(result));
  say(`saved ${SAVED}`);
}

async function print(result: Result): Promise<void> {
  process.stdout.write(values.json ? json(result) : table(result));
}

function json(result: Result): string {
  return `${JSON.stringify({ ...result, goals: judge(result) }, null, 2)}\n`;
}

function say(line: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
}
