/** What an advertisement holds: AD structures (Core Specification Supplement, Part A), found out of their bytes (pure). */
import { uuidOf } from './uuid.ts';

/** One piece of data in an advertisement. `key` says whose: `m:1177` a company's, `s:fcd2` a service's. */
export interface Element {
  readonly key: string;
  readonly bytes: Buffer;
}

export interface Advertisement {
  readonly elements: readonly Element[];
  /** Of services that it announces. */
  readonly services: readonly string[];
  readonly name?: string;
  /** dBm. */
  readonly txPower?: number;
}

const UUIDS: Readonly<Record<number, number>> = { 2: 2, 3: 2, 4: 4, 5: 4, 6: 16, 7: 16 };
const SERVICE_DATA: Readonly<Record<number, number>> = { 0x16: 2, 0x20: 4, 0x21: 16 };
const SHORT_NAME = 0x08;
const NAME = 0x09;
const TX_POWER = 0x0a;
const MANUFACTURER = 0xff;

export function manufacturerKey(company: number): string {
  return `m:${company}`;
}

export function serviceKey(uuid: string): string {
  return `s:${uuid}`;
}

/** Anything goes: what is cut short or unknown is left out. */
export function parseAdvertisement(bytes: Uint8Array): Advertisement {
  const elements: Element[] = [];
  const services: string[] = [];
  let found: { name?: string; txPower?: number } = {};
  for (const { type, data } of structures(bytes)) {
    const [width, uuidWidth] = [UUIDS[type], SERVICE_DATA[type]];
    if (width !== undefined) services.push(...uuids(data, width));
    else if (uuidWidth !== undefined && data.length >= uuidWidth) {
      const uuid = uuidOf(data.subarray(0, uuidWidth));
      elements.push({ key: serviceKey(uuid), bytes: data.subarray(uuidWidth) });
    } else if (type === MANUFACTURER && data.length >= 2) {
      const company = data.readUInt16LE();
      elements.push({ key: manufacturerKey(company), bytes: data.subarray(2) });
    } else found = { ...found, ...plain(type, data) };
  }
  return { elements, services, ...found };
}

function plain(type: number, data: Buffer): { name?: string; txPower?: number } {
  if (type === NAME || type === SHORT_NAME) return { name: data.toString('utf8') };
  if (type === TX_POWER && data.length === 1) return { txPower: data.readInt8() };
  return {};
}

function structures(bytes: Uint8Array): { readonly type: number; readonly data: Buffer }[] {
  const all = Buffer.from(bytes);
  const found: { type: number; data: Buffer }[] = [];
  let at = 0;
  while (at + 1 < all.length) {
    const length = all.readUInt8(at);
    // Zero ends it early: Part A, 1; the rest is padding.
    if (length === 0 || at + 1 + length > all.length) break;
    found.push({ type: all.readUInt8(at + 1), data: all.subarray(at + 2, at + 1 + length) });
    at += 1 + length;
  }
  return found;
}

function uuids(data: Buffer, width: number): string[] {
  const count = Math.floor(data.length / width);
  return Array.from({ length: count }, (_, i) => uuidOf(data.subarray(i * width, (i + 1) * width)));
}
