/**
 * Lets this process open connections to declared hosts only. All of Node's TCP and TLS, and whatever libraries build on
 * it, goes through one method, which is where it is checked. Defence in depth: code that is out to harm finds ways round.
 */
import { lookup as lookUp } from 'node:dns';
import net, { type LookupFunction } from 'node:net';
import { type Permissions } from './permissions.ts';
import { Reach } from './reach.ts';
import { noteRefusal } from './refusals.ts';

interface Target {
  host?: string;
  port?: number | string;
  path?: string;
  lookup?: LookupFunction;
}

type Connect = (this: net.Socket, ...args: unknown[]) => net.Socket;
type Arguments = readonly unknown[];

/** What was not declared, in words that say what to declare. */
export class Denied extends Error {
  readonly code = 'MAPPER_DENIED';

  constructor(message: string) {
    super(message);
    noteRefusal(message);
  }
}

/** From now on, for the whole process. */
export function guardSockets({ network, files }: Permissions): void {
  const reach = new Reach(network);
  const connect = Reflect.get(net.Socket.prototype, 'connect') as Connect;
  net.Socket.prototype.connect = function guarded(
    this: net.Socket,
    ...args: unknown[]
  ): net.Socket {
    const [target, connected] = normalized(args);
    const denied =
      target.path !== undefined
        ? checkPath(target.path, files.write)
        : network === true
          ? undefined
          : checkHost(target, reach);
    if (denied === undefined) return connect.call(this, target, connected);
    process.nextTick(() => this.destroy(denied));
    return this;
  } as typeof net.Socket.prototype.connect;
  if (network === true) return;
  net.Server.prototype.listen = function refused(): never {
    throw new Denied(
      'the mapper may not listen: only "network": true in its permissions allows that',
    );
  };
}

/** As Node's own function of this name makes of what `connect` takes. */
function normalized(args: Arguments): [Target, unknown] {
  // Node's own callers hand over what is normalized already.
  const given = (Array.isArray(args[0]) ? args[0] : args) as Arguments;
  const [first, second] = given;
  const last = given.findLast((each) => typeof each === 'function');
  if (typeof first === 'object' && first !== null) return [{ ...first }, last];
  if (typeof first === 'string' && !/^\d+$/.test(first)) return [{ path: first }, last];
  const host = typeof second === 'string' ? { host: second } : {};
  return [{ port: first as number, ...host }, last];
}

/** Checks the host now, or its addresses once they are known. */
function checkHost(target: Target, reach: Reach): Denied | undefined {
  const { host = 'localhost', port = 0, lookup = lookUp as LookupFunction } = target;
  const verdict = reach.host(host, Number(port));
  if (verdict === 'no') return deniedHost(host, port);
  if (verdict === 'yes') {
    // One of the mapper's own would lead a declared name anywhere.
    delete target.lookup;
    return undefined;
  }
  target.lookup = (name, options, done) =>
    lookup(name, options, (error, found, family) => {
      // Nothing is found with an error.
      const all = error === null ? [found].flat() : [];
      const addresses = all.map((each) => (typeof each === 'string' ? each : each.address));
      const denied = addresses.every((each) => reach.address(each, Number(port)))
        ? error
        : deniedHost(name, port);
      done(denied, found, family);
    });
  return undefined;
}

export function deniedHost(host: string, port: number | string): Denied {
  return new Denied(
    `the mapper may not connect to ${host}:${port}: add it to "network" of its permissions, in its package.json, or in limpet.yaml and restart the edge`,
  );
}

/** A socket in the file system is a file that is written to. */
function checkPath(path: string, writable: readonly string[]): Denied | undefined {
  const allowed = writable.some((each) => path === each || path.startsWith(`${each}/`));
  if (allowed && !path.includes('/../')) return undefined;
  return new Denied(
    `the mapper may not connect to the socket ${path}: add it to "files.write" of its permissions`,
  );
}
