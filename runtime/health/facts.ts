/** What this node tells of itself. Read anew at each call; what cannot be read is `unknown` or 0. */
import { type NodeFacts } from '@limpet/dmi/manifest';
import { readFileSync } from 'node:fs';
import { freemem, networkInterfaces, totalmem, uptime } from 'node:os';

export function nodeFacts(options: {
  readonly version: string;
  readonly mappers: NodeFacts['mappers'];
  readonly budget?: NodeFacts['budget'];
}): NodeFacts {
  return {
    architecture: process.arch,
    board: board(),
    os: operatingSystem(),
    versions: { limpet: options.version, node: process.versions.node },
    mappers: options.mappers,
    ...(options.budget !== undefined && { budget: options.budget }),
    addresses: addresses(),
    uptime: Math.round(uptime()),
    memory: memory(),
  };
}

/** Of this process, as the kernel counts: RssAnon and RSS, in bytes. */
function memory(): NodeFacts['memory'] {
  const machine = text('/proc/meminfo');
  const own = text('/proc/self/status');
  return {
    total: kibibytes(machine, 'MemTotal') ?? totalmem(),
    available: kibibytes(machine, 'MemAvailable') ?? freemem(),
    private: kibibytes(own, 'RssAnon') ?? 0,
    rss: kibibytes(own, 'VmRSS') ?? process.memoryUsage.rss(),
  };
}

/** `Name:   123 kB` in bytes. */
export function kibibytes(lines: string, name: string): number | undefined {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(lines);
  return match?.[1] === undefined ? undefined : Number(match[1]) * 1024;
}

/** PRETTY_NAME of os-release(5). */
export function prettyName(osRelease: string): string | undefined {
  const match = /^PRETTY_NAME=(?:"([^"]*)"|'([^']*)'|(.*))$/m.exec(osRelease);
  return match?.[1] ?? match?.[2] ?? match?.[3];
}

function board(): string {
  // The device tree ends its strings with NUL.
  const tree = text('/proc/device-tree/model').replaceAll('\0', '').trim();
  if (tree !== '') return tree;
  const product = text('/sys/class/dmi/id/product_name').trim();
  return product === '' ? 'unknown' : product;
}

function operatingSystem(): string {
  const release = text('/etc/os-release');
  return prettyName(release === '' ? text('/usr/lib/os-release') : release) ?? process.platform;
}

function addresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const own = all.filter(({ internal }) => !internal).map(({ address }) => address);
  return [...new Set(own)].slice(0, MAX_ADDRESSES);
}

/** A node with hundreds of container networks would send them with every hello. */
const MAX_ADDRESSES = 16;

/** Files of the kernel, read at once: nothing waits on a disk for them. */
function text(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // absent on other systems and in containers: another source, or `unknown`, says it
  }
}
