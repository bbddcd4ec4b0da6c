/** What a mapper that is being written talks to: its simulator's device, or the real one; and what is kept when the code changes. */
import type { Json, Log, MapperContext, SimulatedDevice, Value } from '@limpet/dmi';
import { type Example, readExample } from '@limpet/dmi/testing';
import { type Duplex, duplexPair } from 'node:stream';
import { parseAddress } from '../../../runtime/device/address.ts';
import { openStream } from '../../../runtime/device/open.ts';
import { systemClock } from '../../../runtime/kernel/clock.ts';
import { CliError } from '../../cli-error.ts';
import { type Authored, exampleText } from '../authored.ts';
import { Wires } from './wires.ts';

/** Of the example, as the mapper's code understands it now. */
export type Known = Example<unknown, unknown>;

export class Stage {
  readonly #log: Log;
  readonly #real: boolean;
  readonly wires: Wires;
  #device: SimulatedDevice | undefined;
  #refused: readonly string[] = [];
  #makes: { readonly authored: Authored; readonly example: Known } | undefined;

  /** `real`: nothing is simulated. */
  constructor(options: { readonly log: Log; readonly real: boolean }) {
    this.#log = options.log;
    this.#real = options.real;
    this.wires = new Wires((address, signal) => this.#open(address, signal));
  }

  /** The pretend device; none where the real one is meant. */
  get device(): SimulatedDevice | undefined {
    return this.#device;
  }

  get refused(): readonly string[] {
    return this.#refused;
  }

  readonly dial: MapperContext['dial'] = (address, signal) => this.wires.dial(address, signal);

  /**
   * Takes a version of the mapper. `keep`: the device stays the object that it is, because nothing that makes it has
   * changed; else a new one holds what the old one held.
   */
  async take(authored: Authored, example: Known, keep: boolean): Promise<void> {
    this.#makes = { authored, example };
    if (this.#real || (keep && this.#device !== undefined)) return;
    await this.#make();
  }

  /** Settings with which the mapper reaches the device. */
  async settings({ mapper }: Authored, { device, settings }: Known): Promise<unknown> {
    const { address } = this.#device ?? {};
    const own = address === undefined ? undefined : this.#device?.settings?.(address);
    if (own === undefined) return settings;
    const result = await mapper.settings['~standard'].validate({ ...device.spec.settings, ...own });
    if (result.issues === undefined) return result.value;
    const why = result.issues.map(({ message }) => message).join('; ');
    throw new CliError(1, 'MAPPER_BROKEN', `the simulator's own settings are refused: ${why}`);
  }

  /** The device loses these properties, or has them again; what the others hold stays. */
  async refuse(names: readonly string[]): Promise<void> {
    this.#refused = names;
    await this.#make();
  }

  async close(): Promise<void> {
    this.wires.release();
    await this.#device?.close();
  }

  async #make(): Promise<void> {
    const { authored, example } = this.#makes ?? {};
    if (authored?.simulator === undefined || example === undefined) {
      throw new CliError(
        1,
        'SIMULATOR_MISSING',
        'this mapper has no simulator: export one named "simulator", or name the real device with --set or --settings',
      );
    }
    const before = this.#device;
    const properties = example.properties
      .filter(({ name }) => !this.#refused.includes(name))
      .map((property) => ({ ...property, value: held(before, property) }));
    const { settings } = example;
    const device = deviceOf(example);
    const context = { clock: systemClock, log: this.#log };
    this.#device = await authored.simulator.simulate({ device, settings, properties }, context);
    if (before !== undefined) this.wires.cut();
    await before?.close();
  }

  async #open(address: string, signal: AbortSignal): Promise<Duplex> {
    const device = this.#device;
    if (device?.accept === undefined) return openStream(parseAddress(address), signal);
    const [near, far] = duplexPair();
    near.once('close', () => far.destroy());
    far.once('close', () => near.destroy());
    device.accept(far);
    return near;
  }
}

/** What the mapper and its simulator are told that the device is called. */
export function deviceOf({ device }: Known): string {
  return `default/${device.metadata.name}`;
}

/** What the device before held there, if it had such a property. */
function held(
  device: SimulatedDevice | undefined,
  { name, value }: { readonly name: string; readonly value: Value },
): Value {
  if (device === undefined) return value;
  try {
    const now = device.get(name);
    return typeof now === typeof value ? now : value;
  } catch {
    // It had none of that name.
    return value;
  }
}

/** The example, with these settings laid over its own. @throws CliError EXAMPLE_INVALID with every fault */
export async function exampleOf(
  { place, mapper }: Authored,
  named: string | undefined,
  settings: { readonly [key: string]: Json } = {},
): Promise<{ readonly file: string; readonly example: Known }> {
  const { file, text } = exampleText(place, named);
  try {
    return { file, example: await readExample(text, mapper, { file, settings }) };
  } catch (error) {
    throw new CliError(1, 'EXAMPLE_INVALID', (error as Error).message, { cause: error });
  }
}
