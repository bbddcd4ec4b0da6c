/** The program of a mapper's process: loads the mapper that its arguments name, and serves it to the core. */
import { type Mapper } from '@limpet/dmi';
import { Socket } from 'node:net';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { type Open } from '../../../device/open.ts';
import { systemClock } from '../../../kernel/clock.ts';
import { createLog } from '../../../kernel/log.ts';
import { type Refusals } from '../../sandbox/refusals.ts';
import { mapperFaults } from '../../shape.ts';
import { thrown } from '../../../device/reaction.ts';
import { Channel } from '../channel.ts';
import { type Ready } from '../checks.ts';
import { type ToChild, WIRE_VERSION } from '../messages.ts';
import { placeOf } from '../packed.ts';
import { Collector, takeCollect } from './collector.ts';
import { MapperServer } from './mapper-server.ts';

export interface ChildOptions {
  /** Mappers that the bundle carries, by protocol; others are named by `--module`, a file URL. */
  readonly carried?: Readonly<Record<string, () => Promise<unknown>>>;
  /** Opens what mappers dial, in place of the usual. */
  readonly open?: Open;
  /** What this process was refused so far. */
  readonly refusals?: () => Refusals;
}

/** `--protocol modbus [--module file:///…] [--folder PATH]`; the core is on file descriptors 3 and 4. */
export async function runMapperChild(options: ChildOptions = {}): Promise<void> {
  // Ctrl-C and systemd send them to the whole group: when this ends, the core says.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => undefined);
  const clock = systemClock;
  const collect = takeCollect();
  const collector = collect && new Collector({ collect, clock });
  const log = createLog({ out: process.stderr, clock });
  let server: MapperServer | undefined;
  // As it is before a mapper can replace it, and without what a mapper does at an exit.
  const exit = (process as unknown as { reallyExit(code: number): void }).reallyExit.bind(process);
  const channel = (fd: number): Channel => {
    const own: Channel = new Channel({
      stream: new Socket({ fd, readable: true, writable: true }),
      receive: (message) => {
        const known = message as ToChild;
        if (known.t === 'stop') void (server?.close() ?? Promise.resolve()).then(() => exit(0));
        else server?.receive(own, known);
      },
      // The core is gone, and with it the reason to run.
      closed: () => exit(0),
    });
    return own;
  };
  const [management, data] = [channel(3), channel(4)];
  const named = parseArgs({ options: NAMED, strict: false }).values;
  const loaded = await load(named, options);
  if ('faults' in loaded) {
    management.send({ t: 'broken', faults: loaded.faults });
    process.exitCode = 1;
    return;
  }
  const { mapper } = loaded;
  const { open, refusals } = options;
  const { folder } = named;
  const given = {
    ...(open && { open }),
    ...(refusals && { refusals }),
    ...(typeof folder === 'string' && { folder }),
    ...(collector && { collector }),
  };
  server = new MapperServer({ mapper, clock, log, ...given });
  server.attach(data);
  management.send({ t: 'ready', wire: WIRE_VERSION, ...abilitiesOf(mapper) });
  setImmediate(() => collector?.collect());
}

const NAMED = {
  protocol: { type: 'string' },
  module: { type: 'string' },
  folder: { type: 'string' },
} as const;

/** What the arguments say; `true` where one stands without its value. */
type Named = { readonly [name in keyof typeof NAMED]?: string | boolean };

function abilitiesOf(mapper: Mapper<unknown, unknown>): Ready {
  const has = (name: keyof Ready): boolean => mapper[name] !== undefined;
  return { fits: has('fits'), serves: has('serves'), port: has('port'), back: has('back') };
}

type Loaded =
  | { readonly mapper: Mapper<unknown, unknown> }
  | { readonly faults: readonly string[] };

async function load(named: Named, { carried = {} }: ChildOptions): Promise<Loaded> {
  const { module } = named;
  const protocol = String(named.protocol);
  let loaded: unknown;
  try {
    loaded = typeof module === 'string' ? await import(module) : await carried[protocol]?.();
  } catch (error) {
    const why = error instanceof Error ? `${error.message}${placeOf(error)}` : thrown(error);
    return { faults: [`it cannot be loaded: ${why}`] };
  }
  const mapper = (loaded as { default?: unknown } | null | undefined)?.default;
  const faults = mapperFaults(mapper, protocol);
  return faults.length > 0 ? { faults } : { mapper: mapper as Mapper<unknown, unknown> };
}
