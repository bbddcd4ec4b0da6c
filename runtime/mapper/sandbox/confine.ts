/** Run in the mapper's process before the mapper is loaded: takes from it what its manifest does not declare. */
import { Misconfigured } from '@limpet/dmi';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { type Address } from '../../device/address.ts';
import { type Open, openStream } from '../../device/open.ts';
import { guardAdapters, type Loader } from './adapters.ts';
import { guardModules, isOurs } from './modules.ts';
import { type Access, givenPermissions, type Permissions } from './permissions.ts';
import { Reach } from './reach.ts';
import { countRefusals, noteRefusal, type Refusals } from './refusals.ts';
import { Denied, deniedHost, guardSockets } from './sockets.ts';

/** Below the core, which must not wait for a mapper that spins. */
const NICE = 5;

export interface Confined {
  /** Opens what it may dial. */
  readonly open: Open;
  readonly refusals: () => Refusals;
}

/** Confines this process to what its arguments allow, which is nothing where they say nothing. */
export function confine(): Confined {
  const permissions = givenPermissions(process.argv);
  os.setPriority(NICE);
  const refusals = countRefusals();
  guardSockets(permissions);
  guardAdapters(permissions, process as unknown as Loader);
  guardProcesses();
  const sources = import.meta.filename.endsWith('.ts');
  const root = sources ? path.join(import.meta.dirname, '../../..') : import.meta.dirname;
  const own = sources ? ['runtime', 'dmi', 'node_modules'] : ['.'];
  const urls = own.map((name) => `${pathToFileURL(path.join(root, name)).href}/`);
  guardModules({
    permissions,
    ours: (url) => isOurs(url, urls, sources),
    dmi: doors((door) =>
      sources
        ? import.meta.resolve(`@limpet/dmi${door && `/${door}`}`)
        : pathToFileURL(path.join(root, `limpet-dmi${door && `-${door}`}.mjs`)).href,
    ),
  });
  return { open: permittedOpen(permissions), refusals };
}

/** What a mapper may import of the DMI without bringing it. */
function doors(url: (door: string) => string): Readonly<Record<string, string>> {
  const names = ['', 'line', 'http', 'frames', 'schema'];
  return Object.fromEntries(names.map((door) => [`@limpet/dmi${door && `/${door}`}`, url(door)]));
}

/** Opens what is declared and refuses the rest with what to declare. */
export function permittedOpen(permissions: Permissions, open: Open = openStream): Open {
  const reach = new Reach(permissions.network);
  return (address, signal) => {
    const denied = denial(address, permissions.serial, reach);
    return denied === undefined ? open(address, signal) : Promise.reject(denied);
  };
}

function denial(address: Address, serial: Access, reach: Reach): Misconfigured | undefined {
  if (address.kind === 'tcp') {
    const { host, port } = address;
    if (reach.host(host, port) !== 'no') return undefined;
    return new Misconfigured('MAPPER_DENIED', deniedHost(host, port).message);
  }
  if (serial === true || (serial !== false && serial.includes(address.path))) return undefined;
  const message = `the mapper may not open ${address.path}: add it to "serial" of its permissions, in its package.json, or in limpet.yaml and restart the edge`;
  noteRefusal(message);
  return new Misconfigured('MAPPER_DENIED', message);
}

/** What Node has beside its documentation. */
interface Undocumented {
  _kill(pid: number, signal: number): number;
  _debugProcess(pid: number): void;
  _debugEnd(): void;
}

/**
 * The core runs as the same user: Node would let a mapper end it, or open its debugger. `process.kill` goes through
 * `_kill`, which a mapper could call itself.
 */
function guardProcesses(): void {
  const raw = process as unknown as Undocumented;
  const kill = raw._kill.bind(process);
  raw._kill = (pid, signal) => {
    if (Number(pid) === process.pid) return kill(pid, signal);
    return refuse('signal other processes');
  };
  raw._debugProcess = () => refuse('debug other processes');
  raw._debugEnd = () => refuse('debug other processes');
  os.setPriority = () => refuse('change the priority of processes');
  syncBuiltinESMExports();
}

function refuse(what: string): never {
  throw new Denied(`a mapper may not ${what}`);
}
