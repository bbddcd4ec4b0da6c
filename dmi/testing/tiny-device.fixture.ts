/** The simulated device of the tiny mapper, in its three ways of being reached, and wrong in ways that must be caught. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { defineSimulator, type Json, type Simulator, type Value } from '../index.ts';

/** What a wrong simulator does. */
export type DeviceQuirk =
  | 'forgets what is set'
  | 'says what was set, not what is'
  | 'forgets with the wire'
  | 'writes a neighbour too'
  | 'has no ways';

type Settings = { readonly address: string; readonly unit?: number | undefined };
type Visitor = { readonly key: string };

/** Holds what it is given; text longer than 8 is cut, numbers are rounded to tenths. */
export class TinyDevice {
  readonly held: Map<string, Json>;
  readonly #quirk: DeviceQuirk | undefined;
  readonly #unit: number | undefined;
  readonly #methods: ReadonlyMap<string, Run>;
  readonly #watchers = new Set<(key: string) => void>();

  constructor(
    held: ReadonlyMap<string, Json>,
    methods: ReadonlyMap<string, Run>,
    options: { readonly quirk?: DeviceQuirk | undefined; readonly unit?: number | undefined },
  ) {
    this.held = new Map(held);
    this.#methods = methods;
    this.#quirk = options.quirk;
    this.#unit = options.unit;
  }

  change(key: string, value: Json): void {
    this.held.set(key, typeof value === 'number' ? Math.round(value * 10) / 10 : value);
    for (const tell of this.#watchers) tell(key);
  }

  serve(wire: Duplex): void {
    let watched: readonly string[] = [];
    const tell = (key: string): void => {
      const value = this.held.get(key);
      if (watched.includes(key)) wire.write(`${JSON.stringify({ told: key, value })}\n`);
    };
    this.#watchers.add(tell);
    const first = new Map(this.held);
    wire.on('close', () => {
      this.#watchers.delete(tell);
      if (this.#quirk !== 'forgets with the wire') return;
      for (const [key, value] of first) this.held.set(key, value);
    });
    let rest = '';
    wire.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const request = JSON.parse(line) as Request;
        if (request.unit !== undefined && request.unit !== this.#unit) continue;
        // Bools are not told.
        if ('watch' in request) {
          watched = request.watch.filter((key) => typeof this.held.get(key) !== 'boolean');
        }
        if (!wire.writableEnded) wire.write(`${JSON.stringify(this.#answer(request))}\n`);
        if ('set' in request) this.#write(request.set, request.to);
      }
    });
    wire.on('error', () => wire.destroy());
    wire.on('end', () => wire.end());
  }

  #answer(request: Request): object {
    const { id } = request;
    if ('list' in request)
      return { id, of: [...this.held].map(([name, value]) => ({ name, value })) };
    if ('run' in request) return { id, of: this.#run(request.run, request.with) };
    if ('get' in request) return { id, of: request.get.map((key) => this.#one(key)) };
    if ('watch' in request) return { id, of: request.watch.map((key) => this.#one(key)) };
    const rounded = typeof request.to === 'number' ? Math.round(request.to * 10) / 10 : request.to;
    return { id, of: [this.held.has(request.set) ? { value: rounded } : NO_KEY] };
  }

  #run(key: string, input: readonly Json[]): object[] {
    const run = this.#methods.get(key);
    if (run === undefined) return [NO_KEY];
    try {
      return run(input).map((value) => ({ value }));
    } catch (error) {
      return [{ no: (error as Error).message }];
    }
  }

  #write(key: string, value: Json): void {
    if (!this.held.has(key)) return;
    this.change(key, value);
    if (this.#quirk === 'writes a neighbour too') this.change('name', `n${JSON.stringify(value)}`);
  }

  #one(key: string): object {
    const value = this.held.get(key);
    return value === undefined ? NO_KEY : { value };
  }
}

type Run = (input: readonly Value[]) => readonly Value[];

type Request = { readonly id: number; readonly unit?: number } & (
  | { readonly list: true }
  | { readonly run: string; readonly with: readonly Json[] }
  | { readonly get: readonly string[] }
  | { readonly watch: readonly string[] }
  | { readonly set: string; readonly to: Json }
);

const NO_KEY = { no: 'no such key' };

/** `wires`: dialled ones; `sockets`: an address of its own; `nothing`: the test reaches it by other ways. */
export type Reach = 'wires' | 'sockets' | 'nothing';

/** Simulates tiny devices. `made` hears of each. */
export function tinySimulator(
  options: {
    readonly reach?: Reach;
    readonly quirk?: DeviceQuirk;
    readonly made?: (device: TinyDevice) => void;
  } = {},
): Simulator<Settings, Visitor> {
  const { reach = 'wires', quirk, made } = options;
  return defineSimulator({
    async simulate({ settings: { unit }, properties, methods = [] }) {
      const keys = new Map(properties.map(({ name, visitor }) => [name, visitor.key]));
      const key = (name: string): string => keys.get(name) ?? '';
      const device = new TinyDevice(
        new Map(properties.map(({ visitor, value }) => [visitor.key, value as Json])),
        new Map(methods.map((each) => [each.visitor.key, (input) => each.run(input)])),
        { quirk, unit },
      );
      made?.(device);
      const said = new Map<string, Value>();
      const served = reach === 'sockets' ? await listen(device) : undefined;
      return {
        ...(reach === 'wires' && quirk !== 'has no ways'
          ? { accept: (wire: Duplex) => device.serve(wire) }
          : {}),
        ...(served === undefined
          ? {}
          : { address: served.address, settings: (address: string) => ({ address }) }),
        get: (name) => said.get(name) ?? device.held.get(key(name)) ?? null,
        set(name, value) {
          if (quirk === 'says what was set, not what is') said.set(name, value);
          if (quirk !== 'forgets what is set') device.change(key(name), value as Json);
        },
        close: () => served?.close(),
      };
    },
  });
}

async function listen(
  device: TinyDevice,
): Promise<{ readonly address: string; readonly close: () => void }> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    device.serve(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
