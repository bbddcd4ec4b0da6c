/** Reads attributes over a link, and what visitors see in them. */
import type { DmiError, Reading } from '@limpet/dmi';
import { asDmiError, type LinkedDevice, tells } from './attributes.ts';
import { PROPERTY } from './attribute.ts';
import { decode } from './layout.ts';
import type { GattSource, Visitor } from './visitor.ts';

export type GattVisitor = Visitor & { readonly source: GattSource };

/** Narrows to what needs a link. */
export function isGatt(visitor: Visitor): visitor is GattVisitor {
  return visitor.source.kind === 'gatt';
}

/** Each attribute once, whatever is read out of it. */
export async function readAll(
  linked: LinkedDevice,
  visitors: readonly GattVisitor[],
  signal: AbortSignal,
): Promise<Map<Visitor, Reading>> {
  const data = new Map<string, Buffer | DmiError>();
  const readings = new Map<Visitor, Reading>();
  for (const visitor of visitors) {
    const { service, characteristic, descriptor = '' } = visitor.source;
    const key = `${service} ${characteristic} ${descriptor}`;
    const known = data.get(key) ?? (await readOne(linked, visitor, signal));
    data.set(key, known);
    readings.set(visitor, readingOf(visitor, known));
  }
  return readings;
}

/** What the visitor sees in the data. */
export function readingOf(visitor: GattVisitor, data: Buffer | DmiError): Reading {
  const value = data instanceof Buffer ? decode(visitor.layout, data) : data;
  return value instanceof Error ? { ok: false, error: value } : { ok: true, value };
}

/** @throws Unreachable, Garbled, or the signal's reason; what the device refuses is a value */
export async function readOne(
  linked: LinkedDevice,
  visitor: GattVisitor,
  signal: AbortSignal,
): Promise<Buffer | DmiError> {
  try {
    return await readData(linked, visitor, signal);
  } catch (error) {
    const refused = asDmiError(error, visitor);
    if (refused !== undefined) return refused;
    throw error;
  }
}

async function readData(
  linked: LinkedDevice,
  { source }: GattVisitor,
  signal: AbortSignal,
): Promise<Buffer> {
  if (source.via !== 'read') {
    const characteristic = await linked.find(source, signal);
    const readable = (characteristic.properties & PROPERTY.read) !== 0;
    if (!readable && tells(characteristic, source)) return firstTold(linked, source, signal);
  }
  return linked.gatt.read(await linked.handle(source, signal), signal);
}

/** The first that is notified, of what cannot be read. */
async function firstTold(
  linked: LinkedDevice,
  source: GattSource,
  signal: AbortSignal,
): Promise<Buffer> {
  const { handle } = await linked.find(source, signal);
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const abort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  void linked.gatt.ended.then(reject);
  linked.gatt.onNotified(handle, resolve);
  try {
    await linked.tell(source, true, signal);
    return await linked.soon(promise);
  } finally {
    linked.gatt.onNotified(handle, undefined);
    signal.removeEventListener('abort', abort);
    if (linked.gatt.lost === undefined && !signal.aborted) await linked.tell(source, false, signal);
  }
}
