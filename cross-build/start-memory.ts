/**
 * What the bundle takes of private memory at its start: the least of five, because a busy machine only adds. `npm run memory:commit` writes it to
 * runtime/health/start-memory.json, which the test beside this file holds later bundles against.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { bundleEdge, isTarget } from './bundle.ts';

const STARTS = 5;
/** From "edge started" to the look: what the start left is settled, and nothing has been collected for idleness. */
const SETTLE_MS = 1_000;
const START_MS = 20_000;

const file = path.resolve(
  path.dirname(fileURLToPath(import.meta.url)),
  '../runtime/health/start-memory.json',
);

/** What a figure holds for: other Nodes and other processors take other amounts. */
export const kind = `${process.platform}-${process.arch} Node ${process.versions.node}`;

/** The committed figures in bytes, by {@link kind}. */
export async function committed(): Promise<Readonly<Record<string, number>>> {
  return JSON.parse(await readFile(file, 'utf8')) as Record<string, number>;
}

/** Bundles for this machine, starts that five times alone, and gives the least RssAnon in bytes. */
export async function startMemory(): Promise<number> {
  const target = `linux-${process.arch}`;
  if (!isTarget(target)) throw new Error(`there is no bundle for ${target}`);
  const folder = await mkdtemp(path.join(tmpdir(), 'limpet-start-'));
  try {
    await bundleEdge(target, path.join(folder, 'edge'));
    const taken: number[] = [];
    for (let i = 0; i < STARTS; i++) taken.push(await startOnce(folder, String(i)));
    return Math.min(...taken);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function startOnce(folder: string, name: string): Promise<number> {
  const own = path.join(folder, name);
  await mkdir(own);
  const config = path.join(own, 'limpet.yaml');
  await writeFile(config, 'node: start\ndata: data\nbus: { listen: "127.0.0.1:0" }\n');
  const edge = spawn(path.join(folder, 'edge/limpet-edge'), ['--config', config], {
    // As on a board: nothing of how the tests run.
    env: { PATH: process.env['PATH'], NODE: process.execPath },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const gone = once(edge, 'exit');
  try {
    await started(edge);
    await pause(SETTLE_MS);
    const status = await readFile(`/proc/${edge.pid}/status`, 'utf8');
    const kib = /^RssAnon:\s+(\d+) kB/m.exec(status)?.[1];
    if (kib === undefined) throw new Error('this kernel does not tell RssAnon');
    return Number(kib) * 1024;
  } finally {
    edge.kill();
    await gone;
  }
}

/** The rest of the log is read too, or the edge would wait for its reader. */
async function started(edge: ChildProcess): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let said = '';
  edge.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-2_000);
    if (said.includes('"edge started"')) resolve();
  });
  edge.once('exit', () => reject(new Error(`the edge ended instead of starting: ${said}`)));
  const timer = setTimeout(
    () => reject(new Error(`no start in ${START_MS} ms: ${said}`)),
    START_MS,
  );
  await promise.finally(() => clearTimeout(timer));
}

if (import.meta.main) {
  const bytes = await startMemory();
  const all = { ...(await committed()), [kind]: bytes };
  const sorted = Object.fromEntries(Object.entries(all).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  await writeFile(file, `${JSON.stringify(sorted, null, 2)}\n`);
  process.stdout.write(`${kind}: ${(bytes / 1e6).toFixed(2)} MB private at start\n`);
}
