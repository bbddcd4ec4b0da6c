/** One open Bluetooth device: what it advertises, and its attributes. */
import {
  type Connection,
  Misconfigured,
  type Reading,
  Refused,
  type Sink,
  type Value,
  type Wish,
} from '@limpet/dmi';
import { asDmiError, type Attributes, type LinkedDevice } from './attributes.ts';
import { type Device } from './device.ts';
import { decode, encode, isPart } from './layout.ts';
import { type GattVisitor, isGatt, readAll } from './reads.ts';
import { Telling } from './telling.ts';
import { placeOf, type Visitor } from './visitor.ts';

export class BluetoothConnection implements Connection<Visitor> {
  readonly #device: Device;
  readonly #attributes: Attributes;
  /** A lost device stays lost: the runtime opens it anew. */
  #lost: Error | undefined;
  #telling: Telling | undefined;
  #closed = false;

  constructor(device: Device) {
    this.#device = device;
    this.#attributes = device.attributes;
  }

  async read(visitors: readonly Visitor[], signal: AbortSignal): Promise<readonly Reading[]> {
    return this.#guarded(async () => {
      const wanted = visitors.filter(isGatt);
      if (wanted.length < visitors.length) this.#device.mustBeHeard();
      const values =
        wanted.length === 0
          ? new Map<Visitor, Reading>()
          : await this.#attributes.use((linked) => readAll(linked, wanted, signal), signal);
      return visitors.map((visitor) => values.get(visitor) ?? this.#device.reading(visitor));
    }, signal);
  }

  async write(visitor: Visitor, value: Value, signal: AbortSignal): Promise<Value> {
    if (!isGatt(visitor))
      throw new Misconfigured('BLE_READ_ONLY', 'what a device advertises cannot be written');
    return this.#guarded(
      () => this.#attributes.use((linked) => writeOne(linked, visitor, value, signal), signal),
      signal,
    );
  }

  async subscribe(
    wishes: readonly Wish<Visitor>[],
    sink: Sink,
    signal: AbortSignal,
  ): Promise<readonly number[]> {
    return this.#guarded(async () => {
      const telling = new Telling(this.#device, wishes, sink);
      this.#telling = telling;
      const end = (): void => telling.end();
      signal.addEventListener('abort', end, { once: true });
      telling.ended = () => signal.removeEventListener('abort', end);
      try {
        return await telling.start(signal);
      } catch (error) {
        telling.end();
        throw error;
      }
    }, signal);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#telling?.end();
    this.#device.close();
  }

  async #guarded<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#lost !== undefined) throw this.#lost;
    signal.throwIfAborted();
    const gone = this.#device.lost;
    if (gone !== undefined) throw gone;
    try {
      return await task();
    } catch (error) {
      const passing = signal.aborted || error instanceof Refused || error instanceof Misconfigured;
      if (!passing) this.#lost = error as Error;
      throw error;
    }
  }
}

async function writeOne(
  linked: LinkedDevice,
  visitor: GattVisitor,
  value: Value,
  signal: AbortSignal,
): Promise<Value> {
  const { source, layout } = visitor;
  const { gatt } = linked;
  try {
    const handle = await linked.handle(source, signal);
    const current = isPart(layout) ? await gatt.read(handle, signal) : undefined;
    const data = encode(layout, value, current);
    if (source.write === 'withResponse') await gatt.write(handle, data, signal);
    else command(linked, visitor, handle, data);
    const kept = decode(layout, data);
    if (kept instanceof Error) throw kept;
    return kept;
  } catch (error) {
    throw asDmiError(error, visitor) ?? error;
  }
}

function command({ gatt }: LinkedDevice, visitor: GattVisitor, handle: number, data: Buffer): void {
  if (data.length > gatt.commandBytes) {
    throw new Misconfigured(
      'BLE_VALUE',
      `${data.length} bytes do not fit one packet of ${gatt.commandBytes}, which a write without response is; use write: withResponse (${placeOf(visitor)})`,
    );
  }
  gatt.command(handle, data);
}
