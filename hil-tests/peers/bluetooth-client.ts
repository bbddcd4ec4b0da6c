/** What the Bluetooth peer's tests do with the mapper: an air with two devices, an adapter with a tap for each test, values and codes. */
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Connection,
  DmiError,
  type MapperContext,
  type Reading,
  type Value,
} from '@limpet/dmi';
import { silentLog } from '@limpet/dmi/testing';
import bluetooth from '@limpet/mapper-bluetooth';
import { systemClock } from '#runtime/kernel/clock.ts';
import { Air, type Peripheral, Tap } from './bluetooth-bench.ts';

export type Visitor = Parameters<NonNullable<typeof bluetooth.fits>>[0];
export type Settings = Parameters<typeof bluetooth.connect>[0];

/** What a device has of its own. */
export const own = (n: number): string => `12345678-1234-5678-1234-56789abc000${n}`;
export const TEMPERATURE = { service: '181a', characteristic: '2a6e', type: 'int16', scale: 0.01 };
export const SETPOINT = { service: '181a', characteristic: own(1), type: 'int16', scale: 0.1 };

export const signal = (): AbortSignal => AbortSignal.timeout(10_000);

/** An air with a boiler and a tank, for the tests of one file. */
export class Yard {
  #air: Air | undefined;
  #adapters = 0;
  /** The line of each adapter that was opened, in order. */
  readonly taps: Tap[] = [];
  boiler!: Peripheral;
  tank!: Peripheral;

  constructor() {
    before(async () => {
      this.#air = await Air.start();
      [this.boiler, this.tank] = (await Promise.all(
        ['boiler', 'tank'].map((name) => this.air.peripheral(name)),
      )) as [Peripheral, Peripheral];
    });
    after(() => this.#air?.stop());
  }

  get air(): Air {
    assert.ok(this.#air);
    return this.#air;
  }

  /** The line of the adapter that was opened last. */
  get tap(): Tap {
    const tap = this.taps.at(-1);
    assert.ok(tap);
    return tap;
  }

  /** The name of one that no other test has: what one harms, no other sees. */
  adapter(): string {
    return `uart:/dev/air${++this.#adapters}`;
  }

  context(device = 'default/peer'): MapperContext {
    return {
      device,
      clock: systemClock,
      log: silentLog(),
      keep: () => undefined,
      dial: async () => {
        const tap = new Tap(await this.air.controller());
        this.taps.push(tap);
        return tap.wire;
      },
    };
  }

  async open(device: Peripheral, more: object = {}): Promise<Connection<Visitor>> {
    const settings = { address: device.address, adapter: this.adapter(), ...more };
    return bluetooth.connect(await settingsOf(settings), this.context(), signal());
  }
}

async function parse<T>(
  schema: { '~standard': { validate(value: unknown): unknown } },
  raw: unknown,
): Promise<T> {
  const result = (await schema['~standard'].validate(raw)) as { issues?: unknown; value: T };
  assert.equal(result.issues, undefined, JSON.stringify(result.issues));
  return result.value;
}

export const place = (raw: object): Promise<Visitor> => parse(bluetooth.visitor, raw);
export const settingsOf = (raw: object): Promise<Settings> => parse(bluetooth.settings, raw);

const valueOf = (reading: Reading | undefined): Value | string =>
  reading === undefined ? 'nothing' : reading.ok ? reading.value : reading.error.code;

/** Values, or codes. */
export async function read(
  connection: Connection<Visitor>,
  ...raw: object[]
): Promise<(Value | string)[]> {
  const visitors = await Promise.all(raw.map(place));
  return (await connection.read(visitors, signal())).map(valueOf);
}

/** `Class CODE` of what it rejects with. */
export async function failure(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'nothing';
  } catch (error) {
    assert.ok(error instanceof DmiError, String(error));
    return `${error.name} ${error.code}`;
  }
}

/** A subscription, and what was told. */
export async function subscribe(connection: Connection<Visitor>, ...raw: object[]) {
  const wishes = await Promise.all(
    raw.map(async (each) => ({ visitor: await place(each), everyMs: 100 })),
  );
  const told: (Value | string)[][] = raw.map(() => []);
  const life = new AbortController();
  const { promise: lost, resolve } = Promise.withResolvers<string>();
  const sink = {
    reading: (index: number, reading: Reading) => void told[index]?.push(valueOf(reading)),
    lost: (error: Error) => resolve(`${error.name} ${(error as DmiError).code}`),
  };
  const polled = await connection.subscribe?.(wishes, sink, life.signal);
  return { told, polled, lost, end: () => life.abort() };
}

export async function until(
  happened: () => boolean,
  what: string,
  patienceMs = 5_000,
): Promise<void> {
  for (const end = performance.now() + patienceMs; !happened(); await delay(10)) {
    assert.ok(performance.now() < end, `never: ${what}`);
  }
}
