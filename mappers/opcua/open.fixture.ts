/** Opens real connections to simulated servers, in real time. */
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock, Connection, Mapper, MapperContext } from '@limpet/dmi';
import { recordingLog } from '@limpet/dmi/testing';
import opcua from './mapper.ts';
import type { Settings } from './settings.ts';
import type { Visitor } from './visitor.ts';

export const never = new AbortController().signal;

const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, signal && { signal }),
  after(ms, task) {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
};

/** What the runtime would give; every socket that was dialled is in `wires`. */
export interface RealContext extends MapperContext {
  readonly wires: Duplex[];
  readonly log: ReturnType<typeof recordingLog>;
}

export function realContext(folder?: string, device = 'default/plc'): RealContext {
  const wires: Duplex[] = [];
  return {
    device,
    clock: realClock,
    log: recordingLog(),
    wires,
    ...(folder !== undefined && { folder }),
    async dial(address, signal) {
      const { hostname, port } = new URL(address.replace('tcp:', 'http:'));
      const socket = connect({ host: hostname, port: Number(port) });
      wires.push(socket);
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      // Until it is connected, as the runtime's.
      const abort = (): void => void socket.destroy(signal.reason as Error);
      signal.addEventListener('abort', abort);
      socket.once('connect', resolve);
      socket.on('error', reject);
      if (signal.aborted) abort();
      await promise.finally(() => signal.removeEventListener('abort', abort));
      return socket;
    },
  };
}

type OpcuaMapper = Mapper<Settings, Visitor>;

export async function open(
  settings: object,
  context: MapperContext,
  mapper: OpcuaMapper = opcua,
): Promise<Connection<Visitor>> {
  return mapper.connect(await settingsOf(settings), context, never);
}

export async function settingsOf(settings: object): Promise<Settings> {
  const parsed = await opcua.settings['~standard'].validate(settings);
  if (parsed.issues !== undefined) throw new Error(parsed.issues.map((i) => i.message).join());
  return parsed.value;
}

export function visitorOf(visitor: object): Visitor {
  const parsed = opcua.visitor['~standard'].validate(visitor);
  if (parsed instanceof Promise) throw new Error('visitors are checked at once');
  if (parsed.issues !== undefined) throw new Error(parsed.issues.map((i) => i.message).join());
  return parsed.value;
}

/** Waits for something to become true. */
export async function until(done: () => boolean, ms = 20_000): Promise<void> {
  const end = performance.now() + ms;
  while (!done()) {
    if (performance.now() > end) throw new Error('it did not happen');
    await delay(10);
  }
}
