/**
 * The attributes of one device, linked to while they are needed: takes a slot of the adapter, connects, finds what is asked for,
 * and gives the slot back when it was idle for a while, or when another device waits for it.
 */
import {
  type Clock,
  type DmiError,
  Misconfigured,
  Refused,
  Unreachable,
  unlessAborted,
} from '@limpet/dmi';
import type { Adapter } from './adapter.ts';
import { AttError } from './att.ts';
import { type Characteristic, type Descriptor, PROPERTY, type Service } from './attribute.ts';
import { Gatt } from './gatt.ts';
import type { Peer } from './radio/radio.ts';
import type { Settings } from './settings.ts';
import type { SlotHolder } from './slots.ts';
import { type GattSource, placeOf, type Visitor } from './visitor.ts';

/** Configures what is notified: Core Specification, Vol 3 Part G, 3.3.3.3. */
const CLIENT_CONFIGURATION = '2902';
const NOTIFY = 1;
const INDICATE = 2;

export interface AttributesOptions {
  readonly settings: Settings;
  readonly clock: Clock;
  /** Where the device is heard best now. */
  readonly adapter: () => Adapter;
  readonly peer: () => Peer;
}

/** What the link is used for, while it lasts. */
export class LinkedDevice {
  readonly gatt: Gatt;
  readonly adapter: Adapter;
  #services: readonly Service[] | undefined;
  readonly #characteristics = new Map<Service, readonly Characteristic[]>();

  readonly #clock: Clock;
  readonly #answerMs: number;

  constructor(gatt: Gatt, adapter: Adapter, clock: Clock, answerMs: number) {
    this.gatt = gatt;
    this.adapter = adapter;
    this.#clock = clock;
    this.#answerMs = answerMs;
  }

  /** What the device will tell by itself, if it comes in time. @throws Refused */
  async soon<T>(promise: Promise<T>): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const message = `nothing was notified within ${this.#answerMs} ms`;
    const stop = this.#clock.after(this.#answerMs, () =>
      reject(new Refused('BLE_NOT_TOLD', message)),
    );
    try {
      return await Promise.race([promise, late]);
    } finally {
      stop();
    }
  }

  async services(signal: AbortSignal): Promise<readonly Service[]> {
    this.#services ??= await this.gatt.services(signal);
    return this.#services;
  }

  async characteristics(service: Service, signal: AbortSignal): Promise<readonly Characteristic[]> {
    const known = this.#characteristics.get(service);
    if (known !== undefined) return known;
    const found = await this.gatt.characteristics(service, signal);
    this.#characteristics.set(service, found);
    return found;
  }

  /** @throws Refused when the device has none */
  async find(source: GattSource, signal: AbortSignal): Promise<Characteristic> {
    const services = await this.services(signal);
    for (const service of services.filter(({ uuid }) => uuid === source.service)) {
      const all = await this.characteristics(service, signal);
      const found = all.find(({ uuid }) => uuid === source.characteristic);
      if (found !== undefined) return found;
    }
    throw missing(source);
  }

  /** The handle of the value that the visitor means. @throws Refused */
  async handle(source: GattSource, signal: AbortSignal): Promise<number> {
    const characteristic = await this.find(source, signal);
    if (source.descriptor === undefined) return characteristic.handle;
    return (await this.#descriptor(characteristic, source.descriptor, signal, source)).handle;
  }

  /** Switches notifications or indications on or off. @throws Refused, AttError */
  async tell(source: GattSource, on: boolean, signal: AbortSignal): Promise<Characteristic> {
    const characteristic = await this.find(source, signal);
    const { handle } = await this.#descriptor(characteristic, CLIENT_CONFIGURATION, signal, source);
    const bits = !on
      ? 0
      : (characteristic.properties & kindBit(source)) === 0
        ? 0
        : kindValue(source);
    await this.gatt.write(handle, Uint8Array.of(bits, 0), signal);
    return characteristic;
  }

  async #descriptor(
    characteristic: Characteristic,
    uuid: string,
    signal: AbortSignal,
    source: GattSource,
  ): Promise<Descriptor> {
    const all = await this.gatt.descriptors(characteristic, signal);
    const found = all.find((each) => each.uuid === uuid);
    if (found === undefined) throw missing({ ...source, descriptor: uuid });
    return found;
  }
}

/** Whether the device can tell this characteristic by itself, in the way that is asked for. */
export function tells(characteristic: Characteristic, source: GattSource): boolean {
  return (characteristic.properties & kindBit(source)) !== 0;
}

export class Attributes implements SlotHolder {
  readonly #options: AttributesOptions;
  #linked: LinkedDevice | undefined;
  #linking: Promise<LinkedDevice> | undefined;
  #users = 0;
  #pins = 0;
  #yields = false;
  #adapter: Adapter | undefined;
  #stopIdle: (() => void) | undefined;
  readonly #end = new AbortController();
  /** How long the latest wait for a slot was. */
  waitedMs = 0;

  constructor(options: AttributesOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.settings.address;
  }

  get state(): 'busy' | 'idle' | 'pinned' {
    if (this.#users > 0) return 'busy';
    return this.#pins > 0 ? 'pinned' : 'idle';
  }

  get linked(): LinkedDevice | undefined {
    return this.#linked;
  }

  yield(): void {
    this.#yields = true;
    if (this.#users === 0) this.#unlink();
  }

  /** Runs the task over a link. @throws Unreachable, Garbled, Refused, or the signal's reason */
  async use<T>(task: (linked: LinkedDevice) => Promise<T>, signal: AbortSignal): Promise<T> {
    this.#users++;
    this.#stopIdle?.();
    try {
      return await task(await this.#link(signal));
    } finally {
      this.#users--;
      this.#settle();
    }
  }

  /** Whether the link may stay for notifications; if so it stays until {@link unpin}. */
  pin(): boolean {
    const adapter = this.#adapter;
    if (adapter === undefined || !adapter.slots.mayPin(adapter.users)) return false;
    this.#pins++;
    return true;
  }

  unpin(): void {
    this.#pins--;
    this.#settle();
  }

  /** Ends the link, and whatever waits for one. */
  close(): void {
    this.#end.abort(new Unreachable('BLE_LINK_LOST', `${this.name} was closed`));
    this.#unlink();
  }

  #settle(): void {
    if (this.#linked === undefined) return;
    if (this.#yields && this.#users === 0) {
      this.#unlink();
      return;
    }
    this.#adapter?.slots.press();
    const { clock, settings } = this.#options;
    this.#stopIdle?.();
    if (this.state !== 'idle' || this.#linked === undefined) return;
    this.#stopIdle = clock.after(settings.keepMs, () => this.#unlink());
  }

  async #link(signal: AbortSignal): Promise<LinkedDevice> {
    if (this.#linked !== undefined) return this.#linked;
    this.#linking ??= this.#connect(AbortSignal.any([signal, this.#end.signal])).finally(
      () => (this.#linking = undefined),
    );
    return unlessAborted(this.#linking, signal);
  }

  async #connect(signal: AbortSignal): Promise<LinkedDevice> {
    const { clock, settings } = this.#options;
    const adapter = this.#options.adapter();
    this.#adapter = adapter;
    this.#yields = false;
    const late = new AbortController();
    const stop = clock.after(settings.timeoutMs, () => late.abort(this.#late(adapter)));
    const both = AbortSignal.any([signal, late.signal]);
    try {
      const since = clock.monotonic();
      await adapter.slots.acquire(this, both);
      this.waitedMs = Math.round(clock.monotonic() - since);
      return await this.#establish(adapter, both);
    } catch (error) {
      adapter.slots.release(this);
      throw error;
    } finally {
      stop();
    }
  }

  async #establish(adapter: Adapter, signal: AbortSignal): Promise<LinkedDevice> {
    const { clock, settings } = this.#options;
    const { supervisionMs, answerMs, address, pairs } = settings;
    const link = await adapter.link(this.#options.peer(), { supervisionMs }, signal);
    const gatt = new Gatt({ link, clock, answerMs, address, pairs });
    try {
      await gatt.exchangeMtu(signal);
      signal.throwIfAborted();
    } catch (error) {
      gatt.close();
      throw error;
    }
    const linked = new LinkedDevice(gatt, adapter, clock, answerMs);
    this.#linked = linked;
    void gatt.ended.then(() => {
      if (this.#linked === linked) this.#unlink();
    });
    return linked;
  }

  #unlink(): void {
    this.#stopIdle?.();
    const linked = this.#linked;
    this.#linked = undefined;
    this.#yields = false;
    if (linked === undefined) return;
    linked.gatt.close();
    this.#adapter?.slots.release(this);
  }

  #late(adapter: Adapter): Unreachable {
    const { address, timeoutMs } = this.#options.settings;
    const holders = adapter.slots.names.filter((name) => name !== address).join(', ');
    const advice = holders === '' ? '' : `; slots of ${adapter.name} are held by ${holders}`;
    return new Unreachable(
      'BLE_TIMEOUT',
      `${address} was not linked to within ${timeoutMs} ms${advice}`,
    );
  }
}

/** As the DMI has it: a refusal of the device is of one property. */
export function asDmiError(error: unknown, visitor: Visitor): DmiError | undefined {
  if (error instanceof Refused || error instanceof Misconfigured) return error;
  if (!(error instanceof AttError)) return undefined;
  const advice = error.wantsPairing ? '; set pair: justWorks if it pairs without a code' : '';
  const message = `${placeOf(visitor)} was refused: ${error.message}${advice}`;
  return new Refused(`BLE_ATT_${error.code}`, message, { cause: error });
}

function missing(source: GattSource): Refused {
  const place = placeOf({ source, layout: undefined as never });
  return new Refused('BLE_NO_ATTRIBUTE', `the device has no ${place}`);
}

function kindBit({ via }: GattSource): number {
  return via === 'indicate' ? PROPERTY.indicate : PROPERTY.notify;
}

function kindValue({ via }: GattSource): number {
  return via === 'indicate' ? INDICATE : NOTIFY;
}
