/** One subscription: what the device advertises, and what it notifies over a link that stays. */
import { DmiError, Refused, type Sink, Unreachable, type Wish } from '@limpet/dmi';
import { asDmiError, type LinkedDevice, tells } from './attributes.ts';
import { type GattVisitor, isGatt, readingOf, readOne } from './reads.ts';
import type { Device } from './device.ts';
import { PROPERTY } from './attribute.ts';
import type { Visitor } from './visitor.ts';

/** How often silence is looked for. */
const LOOK_MS = 1_000;

interface Told {
  readonly index: number;
  readonly visitor: GattVisitor;
  readonly handle: number;
  heardMs: number;
  /** Subscribed anew after a silence, and not heard since. */
  again: boolean;
}

export class Telling {
  readonly #device: Device;
  readonly #wishes: readonly Wish<Visitor>[];
  readonly #sink: Sink;
  readonly #end = new AbortController();
  #told: readonly Told[] = [];
  #linked: LinkedDevice | undefined;
  #stopLooking: (() => void) | undefined;
  /** Called once. */
  ended: () => void = () => undefined;

  constructor(device: Device, wishes: readonly Wish<Visitor>[], sink: Sink) {
    this.#device = device;
    this.#wishes = wishes;
    this.#sink = sink;
  }

  /** Resolves with the indexes of what is polled. */
  async start(signal: AbortSignal): Promise<readonly number[]> {
    const gatt = [...this.#wishes.entries()].flatMap(([index, { visitor }]) =>
      isGatt(visitor) && visitor.source.via !== 'read' ? [{ index, visitor }] : [],
    );
    if (gatt.length > 0) await this.#startNotified(gatt, signal);
    signal.throwIfAborted();
    this.#device.listen(
      (fresh) => this.#heard(fresh),
      (error) => this.#lost(error),
    );
    this.#heard(true);
    this.#look();
    const told = new Set([...this.#advertised(), ...this.#told.map(({ index }) => index)]);
    return [...this.#wishes.keys()].filter((index) => !told.has(index));
  }

  end(): void {
    if (this.#end.signal.aborted) return;
    this.#end.abort();
    this.#stopLooking?.();
    this.#device.unlisten();
    const linked = this.#linked;
    this.#linked = undefined;
    if (linked !== undefined) this.#stopNotified(linked);
    this.ended();
  }

  /** What needs no link, and changes by itself. */
  #advertised(): number[] {
    return [...this.#wishes.entries()].flatMap(
      ([
        index,
        {
          visitor: { source },
        },
      ]) =>
        source.kind === 'heard' || (source.kind === 'fact' && source.fact !== 'waited')
          ? [index]
          : [],
    );
  }

  /** The same data again is not told again, but for the strength of the signal. */
  #heard(fresh: boolean): void {
    for (const index of this.#advertised()) {
      const { visitor } = this.#wishes[index] as Wish<Visitor>;
      const { source } = visitor;
      const isStrength = source.kind === 'fact' && source.fact === 'rssi';
      if (fresh || isStrength) this.#sink.reading(index, this.#device.reading(visitor));
    }
  }

  async #startNotified(
    wishes: readonly { readonly index: number; readonly visitor: GattVisitor }[],
    signal: AbortSignal,
  ): Promise<void> {
    const { attributes } = this.#device;
    await attributes.use(async (linked) => {
      if (!attributes.pin()) {
        this.#device.log.info('no slot to stay connected: notified values are polled', {
          adapter: linked.adapter.name,
        });
        return;
      }
      this.#linked = linked;
      void linked.gatt.ended.then((error) => this.#lost(error));
      for (const { index, visitor } of wishes) {
        const told = await this.#notify(linked, index, visitor, signal);
        if (told !== undefined) this.#told = [...this.#told, told];
      }
    }, signal);
  }

  /** @returns `undefined` when the device cannot tell it */
  async #notify(
    linked: LinkedDevice,
    index: number,
    visitor: GattVisitor,
    signal: AbortSignal,
  ): Promise<Told | undefined> {
    const { source } = visitor;
    try {
      const characteristic = await linked.find(source, signal);
      if (!tells(characteristic, source)) return undefined;
      const { handle, properties } = characteristic;
      const told = {
        index,
        visitor,
        handle,
        heardMs: this.#device.clock.monotonic(),
        again: false,
      };
      this.#route(linked, handle);
      await linked.tell(source, true, signal);
      if ((properties & PROPERTY.read) !== 0) {
        this.#sink.reading(index, readingOf(visitor, await readOne(linked, visitor, signal)));
      }
      return told;
    } catch (error) {
      if (asDmiError(error, visitor) instanceof Refused) return undefined;
      throw error;
    }
  }

  /** Several properties may lie in one characteristic. */
  #route(linked: LinkedDevice, handle: number): void {
    linked.gatt.onNotified(handle, (data) => {
      const now = this.#device.clock.monotonic();
      for (const told of this.#told.filter((each) => each.handle === handle)) {
        told.heardMs = now;
        told.again = false;
        this.#sink.reading(told.index, readingOf(told.visitor, data));
      }
    });
  }

  #stopNotified(linked: LinkedDevice): void {
    const { attributes } = this.#device;
    const told = this.#told;
    this.#told = [];
    for (const { handle } of told) linked.gatt.onNotified(handle, undefined);
    attributes.unpin();
    // The device is asked to be quiet; if it cannot be, the end of the link tells it.
    const never = new AbortController().signal;
    for (const { visitor } of told) {
      if (linked.gatt.lost === undefined)
        void linked.tell(visitor.source, false, never).catch(() => undefined);
    }
  }

  /** Silence beyond what was agreed: subscribed anew, and then lost. */
  #look(): void {
    this.#stopLooking = this.#device.clock.after(LOOK_MS, () => {
      this.#look();
      const { silentMs, settings, attributes } = this.#device;
      const listens = this.#advertised().length > 0 && attributes.linked === undefined;
      if (listens && silentMs > settings.silenceMs) this.#lost(this.#device.silence());
      else for (const told of this.#told) this.#lookAt(told);
    });
  }

  #lookAt(told: Told): void {
    const { clock, settings } = this.#device;
    const { silenceMs } = told.visitor.source;
    const linked = this.#linked;
    if (silenceMs === undefined || linked === undefined) return;
    if (clock.monotonic() - told.heardMs <= silenceMs) return;
    told.heardMs = clock.monotonic();
    if (told.again) {
      const message = `${settings.address} notified nothing for ${(2 * silenceMs) / 1000} s, also after a new subscription`;
      linked.gatt.close();
      this.#lost(new Unreachable('BLE_NOTIFY_STOPPED', message));
      return;
    }
    told.again = true;
    void this.#again(linked, told).catch((error: unknown) => {
      if (error instanceof DmiError) this.#lost(error);
    });
  }

  /** Off and on again, and the present value where it can be read. */
  async #again(linked: LinkedDevice, told: Told): Promise<void> {
    const { signal } = this.#end;
    const { visitor, index } = told;
    this.#device.log.debug('notifications stopped: subscribed anew', { visitor: index });
    await linked.tell(visitor.source, false, signal);
    const { properties } = await linked.tell(visitor.source, true, signal);
    if ((properties & PROPERTY.read) === 0) return;
    const data = await readOne(linked, visitor, signal);
    if (!signal.aborted) this.#sink.reading(index, readingOf(visitor, data));
  }

  #lost(error: DmiError): void {
    if (this.#end.signal.aborted) return;
    this.end();
    this.#sink.lost(error);
  }
}
