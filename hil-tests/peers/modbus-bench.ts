/** What the Modbus peers' tests share: the mapper over real sockets and lines, and programs that are not ours. */
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import type { Duplex, Readable, Writable } from 'node:stream';
import type { TestContext } from 'node:test';
import {
  type Connection,
  DmiError,
  type Found,
  type Schema,
  Unreachable,
  type Value,
} from '@limpet/dmi';
import { silentLog } from '@limpet/dmi/testing';
import modbus from '@limpet/mapper-modbus';
import { SerialPort } from 'serialport';
import { systemClock } from '#runtime/kernel/clock.ts';

type Visitor = Parameters<NonNullable<typeof modbus.fits>>[0];

/** Debian's own interpreter: another Python on PATH does not see Debian's packages. */
export const PYTHON = '/usr/bin/python3';

/** Fails with the name of the Debian package when a program is not there. */
export function needs(program: string, args: readonly string[], debianPackage: string): void {
  const { error, status } = spawnSync(program, args);
  const there = error === undefined && status !== 127 && (program !== PYTHON || status === 0);
  assert.ok(
    there,
    `install the Debian package ${debianPackage} (all of them: hil-tests/peers/packages.txt)`,
  );
}

/** A device behind the mapper; readings as values or codes, whole failures as `Class CODE`. */
export class Bench {
  readonly #connection: Connection<Visitor>;
  /** Resolves once the wire is given back: only then can a line be opened again. */
  readonly #closed: Promise<unknown>;

  private constructor(connection: Connection<Visitor>, closed: Promise<unknown>) {
    this.#connection = connection;
    this.#closed = closed;
  }

  static async open(t: TestContext, settings: object): Promise<Bench> {
    const parsed = await parse(modbus.settings, settings);
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const context = {
      device: 'default/peer',
      clock: systemClock,
      log: silentLog(),
      dial: async (address: string, signal: AbortSignal) =>
        (await dial(address, signal)).once('close', resolve),
    };
    const connection = await modbus.connect(parsed, context, AbortSignal.timeout(10_000));
    const bench = new Bench(connection, closed);
    t.after(() => bench.close());
    return bench;
  }

  async read(...visitors: readonly object[]): Promise<unknown> {
    try {
      const places = await Promise.all(visitors.map((each) => parse(modbus.visitor, each)));
      const readings = await this.#connection.read(places, AbortSignal.timeout(10_000));
      return readings.map((reading) => (reading.ok ? reading.value : reading.error.code));
    } catch (error) {
      if (error instanceof DmiError) return `${error.name} ${error.code}`;
      throw error;
    }
  }

  async write(visitor: object, value: Value): Promise<Value> {
    const place = await parse(modbus.visitor, visitor);
    return this.#connection.write(place, value, AbortSignal.timeout(10_000));
  }

  async close(): Promise<void> {
    await this.#connection.close();
    await this.#closed;
  }
}

/** What the mapper finds there. */
export async function search(where: string, settings: Found['settings']): Promise<Found[]> {
  const context = { device: 'default/peer', clock: systemClock, log: silentLog(), dial };
  const signal = AbortSignal.timeout(20_000);
  const all: Found[] = [];
  for await (const found of modbus.discover?.({ where, settings }, context, signal) ?? []) {
    all.push(found);
  }
  return all;
}

/** A program that stays until the test is over, told to go by the end of its stdin or by a signal. */
export class Peer {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: Interface;

  constructor(t: TestContext, program: string, args: readonly string[]) {
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface(this.#child.stdout);
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    this.#child.once('exit', () => resolve());
    t.after(async () => {
      this.#child.kill();
      await gone;
    });
  }

  /** Waits until the program prints a line with this in it. */
  async says(text: string): Promise<void> {
    const signal = AbortSignal.timeout(10_000);
    for (;;) {
      const [line] = (await once(this.#lines, 'line', { signal })) as [string];
      if (line.includes(text)) return;
    }
  }

  /** Sends one line of JSON and waits for `TAKEN`. */
  async order(order: object): Promise<void> {
    const taken = this.says('TAKEN');
    this.#child.stdin.write(`${JSON.stringify(order)}\n`);
    await taken;
  }
}

/** A TCP port that nobody listens on just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Waits until something listens there, without saying a word to it. */
export async function listening(port: number): Promise<void> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  for (let tries = 0; tries < 100; tries++) {
    const { stdout } = spawnSync('grep', ['-h', `:${hex} 00000000:0000 0A`, '/proc/net/tcp']);
    if (stdout.length > 0) return;
    await systemClock.sleep(50);
  }
  assert.fail(`nothing listens on port ${port}`);
}

/** `tcp://HOST:PORT` and `serial:PATH?baud=…`, as the runtime dials them. */
async function dial(address: string, signal: AbortSignal): Promise<Duplex> {
  const stream = address.startsWith('tcp://') ? tcp(address) : line(address);
  const opened = address.startsWith('tcp://') ? 'connect' : 'open';
  try {
    await once(stream, opened, { signal });
    return stream;
  } catch (cause) {
    stream.destroy();
    throw new Unreachable('DIAL_FAILED', `cannot open ${address}`, { cause });
  }
}

function tcp(address: string): Duplex {
  const { hostname, port } = new URL(address);
  return connect({ host: hostname, port: Number(port), noDelay: true });
}

function line(address: string): Duplex {
  const [path = '', query] = address.slice('serial:'.length).split('?');
  const fields = new URLSearchParams(query);
  const port = new SerialPort({
    path,
    baudRate: Number(fields.get('baud')),
    parity: fields.get('parity') as 'none' | 'even' | 'odd',
    dataBits: 8,
    stopBits: Number(fields.get('stopbits')) as 1 | 2,
  });
  // `end()` gives the wire back; serialport by itself keeps the line locked, and spins once its far end is gone.
  port.once('finish', () => port.close());
  return port;
}

async function parse<T>(schema: Schema<T>, value: unknown): Promise<T> {
  const result = await schema['~standard'].validate(value);
  if (result.issues === undefined) return result.value;
  return assert.fail(result.issues.map((issue) => issue.message).join('; '));
}
