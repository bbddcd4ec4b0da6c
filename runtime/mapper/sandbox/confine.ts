/** Run in the mapper's process before the mapper is loaded: takes from it what its manifest does not declare. */
import { Misconfigured } from '@limpet/dmi';
import { setPriority } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { type Address } from '../../device/address.ts';
import { type Open, openStream } from '../../device/open.ts';
import { guardModules } from './modules.ts';
import { type Access, givenPermissions, type Permissions } from './permissions.ts';
import { Reach } from './reach.ts';
import { deniedHost, guardSockets } from './sockets.ts';

/** Below the core, which must not wait for a mapper that spins. */
const NICE = 5;

/** Confines this process to what its arguments allow, which is nothing where they say nothing; opens what it may dial. */
export function confine(): Open {
  const permissions = givenPermissions(process.argv);
  setPriority(NICE);
  guardSockets(permissions);
  guardSignals();
  const sources = import.meta.filename.endsWith('.ts');
  const root = sources ? path.join(import.meta.dirname, '../../..') : import.meta.dirname;
  const own = sources ? ['runtime', 'dmi', 'node_modules'] : ['.'];
  const urls = own.map((name) => `${pathToFileURL(path.join(root, name)).href}/`);
  guardModules({
    permissions,
    ours: (url) => urls.some((each) => url.startsWith(each)),
    dmi: sources
      ? import.meta.resolve('@limpet/dmi')
      : pathToFileURL(path.join(root, 'limpet-dmi.mjs')).href,
  });
  return permittedOpen(permissions);
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
  const message = `the mapper may not open ${address.path}: add it to "serial" of its permissions, in its package.json or in limpet.yaml`;
  return new Misconfigured('MAPPER_DENIED', message);
}

/** The core runs as the same user: Node would let a mapper end it. */
function guardSignals(): void {
  const kill = process.kill.bind(process);
  process.kill = (pid, signal) => {
    if (pid === process.pid) return kill(pid, signal);
    throw new Misconfigured('MAPPER_DENIED', 'a mapper may not signal other processes');
  };
}
