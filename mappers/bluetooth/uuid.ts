/** UUIDs of Bluetooth: one form for all spellings (pure). */

/** The rest of an assigned UUID: Core Specification, Vol 3 Part B, 2.5.1. */
const TAIL = '00001000800000805f9b34fb';

/** Four hexadecimal digits where the UUID is an assigned one, else 32; `undefined`: it is none. */
export function parseUuid(text: string): string | undefined {
  const digits = text.toLowerCase().replace(/^0x/, '').replaceAll('-', '');
  if (/^[0-9a-f]{4}$/.test(digits)) return digits;
  const full = /^[0-9a-f]{8}$/.test(digits) ? digits + TAIL : digits;
  if (!/^[0-9a-f]{32}$/.test(full)) return undefined;
  return full.startsWith('0000') && full.endsWith(TAIL) ? full.slice(4, 8) : full;
}

/** From the wire: 2, 4 or 16 bytes, the least significant first. */
export function uuidOf(bytes: Uint8Array): string {
  const digits = Buffer.from(bytes).reverse().toString('hex');
  return parseUuid(digits) ?? digits;
}

/** As people write it: `2a6e`, or with hyphens. */
export function uuidText(uuid: string): string {
  return uuid.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
