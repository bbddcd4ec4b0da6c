/** Values in payloads (pure): what a device says to what it means, and back. */
import { isUtf8 } from 'node:buffer';
import { type Json, Misconfigured, Refused, type Value } from '@limpet/dmi';
import { isBinary, readBinary, writeBinary } from './binary.ts';
import type { Layout } from './visitor.ts';

/** Deeper JSON is refused: nobody reads it, and all that walk it would need a stack for it. */
const MAX_DEPTH = 32;
const MAX_SHOWN = 40;
const TRUE = new Set(['true', 'on', '1', 'yes', 'online']);
const FALSE = new Set(['false', 'off', '0', 'no', 'offline']);

/** A payload as JSON. @throws Refused MQTT_NOT_JSON, MQTT_NOT_TEXT */
export function parseJson(payload: Buffer): Json {
  const text = textOf(payload);
  if (tooDeep(text)) {
    throw new Refused('MQTT_NOT_JSON', `the payload is nested more than ${MAX_DEPTH} deep`);
  }
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new Refused('MQTT_NOT_JSON', `the payload is no JSON: ${shown(text)}`, { cause: error });
  }
}

/** What a whole payload means. @throws Refused */
export function decodePayload(payload: Buffer, layout: Layout): Value {
  const { type } = layout;
  if (isBinary(type) || type === 'bytes') return fromBytes(payload, layout);
  return type === 'json' ? parseJson(payload) : decodeJson(textOf(payload), layout);
}

/** What a value in JSON means. @throws Refused */
export function decodeJson(raw: Json, layout: Layout): Value {
  const { type } = layout;
  if (isBinary(type) || type === 'bytes') return fromBytes(base64Of(raw), layout);
  switch (type) {
    case 'number':
      return numberOf(raw, layout);
    case 'bool':
      return boolOf(raw, layout);
    case 'enum':
      return meaningOf(raw, layout);
    case 'text':
      return typeof raw === 'string' ? raw : JSON.stringify(raw);
    case 'json':
      return raw;
  }
}

/** What is to be sent for a value, as JSON; bytes as they are. @throws Misconfigured MQTT_VALUE */
export function encode(value: Value, layout: Layout): Json | Buffer {
  const { type, bit } = layout;
  if (type === 'bytes') return Buffer.from(value instanceof Uint8Array ? value : wrong('bytes'));
  if (!isBinary(type)) return toJson(value, layout, type);
  return toBytes(bit === undefined ? numeric(value) : bitOf(value, bit), layout);
}

function toJson(
  value: Value,
  layout: Layout,
  type: 'number' | 'bool' | 'enum' | 'text' | 'json',
): Json {
  switch (type) {
    case 'number': {
      const number = numeric(value);
      return typeof number === 'bigint' ? number.toString() : unscaled(number, layout);
    }
    case 'bool':
      return boolFor(value, layout);
    case 'enum':
      return wordFor(value, layout);
    case 'text':
      return typeof value === 'string' ? value : wrong('text');
    case 'json':
      return typeof value === 'bigint' || value instanceof Uint8Array ? wrong('JSON') : value;
  }
}

function boolFor(value: Value, { on, off }: Layout): Json {
  if (typeof value !== 'boolean') return wrong('true or false');
  return (value ? on : off) ?? value;
}

function numeric(value: Value): number | bigint {
  return typeof value === 'bigint' || Number.isFinite(value)
    ? (value as number | bigint)
    : wrong('a number');
}

function bitOf(value: Value, bit: number): bigint {
  return typeof value === 'boolean' ? BigInt(value) << BigInt(bit) : wrong('true or false');
}

function wrong(expected: string): never {
  throw new Misconfigured('MQTT_VALUE', `the value cannot be sent: expected ${expected}`);
}

/** A payload of it: the value alone, or in a template. */
export function payloadOf(raw: Json | Buffer, template: string | undefined): Buffer {
  if (Buffer.isBuffer(raw)) return raw;
  const text = typeof raw === 'string' ? raw : JSON.stringify(raw);
  if (template === undefined) return Buffer.from(text);
  const json = JSON.stringify(raw);
  // A function, so that $ in a value means nothing.
  return Buffer.from(
    template.replaceAll(/\{(value|json)\}/g, (_, how) => (how === 'value' ? text : json)),
  );
}

/** UTF-8. @throws Refused MQTT_NOT_TEXT */
function textOf(payload: Buffer): string {
  if (isUtf8(payload)) return payload.toString();
  throw new Refused(
    'MQTT_NOT_TEXT',
    'the payload is no UTF-8: set type to bytes, or to a number of bytes',
  );
}

function tooDeep(text: string): boolean {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (quoted) {
      if (char === 0x5c) at++;
      else if (char === 0x22) quoted = false;
    } else if (char === 0x22) quoted = true;
    else if (char === 0x5b || char === 0x7b) {
      if (++depth > MAX_DEPTH) return true;
    } else if (char === 0x5d || char === 0x7d) depth--;
  }
  return false;
}

function numberOf(raw: Json, { scale, offset }: Layout): number | bigint {
  const number = typeof raw === 'string' && raw.trim() !== '' ? Number(raw) : raw;
  if (typeof number !== 'number' || !Number.isFinite(number)) {
    throw new Refused('MQTT_NOT_A_NUMBER', `expected a number, found ${shown(raw)}`);
  }
  if (typeof raw === 'string' && scale === 1 && offset === 0 && beyond(number)) {
    // Exactly as the device wrote it.
    return /^[+-]?\d+$/.test(raw.trim()) ? BigInt(raw) : number;
  }
  return scaled(number, { scale, offset });
}

function beyond(number: number): boolean {
  return Number.isInteger(number) && !Number.isSafeInteger(number);
}

function boolOf(raw: Json, { on, off }: Layout): boolean {
  if (on !== undefined && off !== undefined) {
    if (same(raw, on)) return true;
    if (same(raw, off)) return false;
    throw new Refused(
      'MQTT_NOT_A_BOOL',
      `expected ${String(on)} or ${String(off)}, found ${shown(raw)}`,
    );
  }
  const word = wordOf(raw).trim().toLowerCase();
  if (TRUE.has(word)) return true;
  if (FALSE.has(word)) return false;
  throw new Refused(
    'MQTT_NOT_A_BOOL',
    `expected true or false, on or off, 1 or 0, found ${shown(raw)}: set on and off`,
  );
}

/** What has several parts is no word. */
function wordOf(raw: Json): string {
  return typeof raw === 'object' ? '' : String(raw);
}

function same(raw: Json, word: string | number | boolean): boolean {
  return raw === word || wordOf(raw) === String(word);
}

function meaningOf(raw: Json, { map }: Layout): Value {
  const meaning = typeof raw === 'object' ? undefined : map?.get(String(raw));
  if (meaning !== undefined) return meaning;
  throw new Refused('MQTT_NOT_IN_MAP', `${shown(raw)} is not in map: add it`);
}

function wordFor(value: Value, { map }: Layout): string {
  for (const [word, meaning] of map ?? []) if (meaning === value) return word;
  const known = [...(map?.values() ?? [])].map(String).join(', ');
  throw new Misconfigured('MQTT_VALUE', `the device knows no such value: there are ${known}`);
}

function fromBytes(payload: Buffer, layout: Layout): Value {
  const { type, byte, length, bit } = layout;
  if (!isBinary(type)) {
    const end = length === undefined ? payload.length : byte + length;
    if (end > payload.length) throw tooShort(payload, end);
    return Uint8Array.from(payload.subarray(byte, end));
  }
  let number: number | bigint;
  try {
    number = readBinary(payload, byte, type);
  } catch {
    throw tooShort(payload, byte + 1);
  }
  if (bit !== undefined) return ((BigInt(number) >> BigInt(bit)) & 1n) === 1n;
  if (typeof number === 'bigint')
    return layout.scale === 1 && layout.offset === 0 ? number : scaled(Number(number), layout);
  if (Number.isFinite(number)) return scaled(number, layout);
  throw new Refused('MQTT_NOT_A_NUMBER', 'the device says that it is not a number');
}

function toBytes(value: number | bigint, layout: Layout): Buffer {
  const { type } = layout;
  if (!isBinary(type)) return Buffer.alloc(0);
  const raw = typeof value === 'bigint' ? value : unscaled(value, layout);
  try {
    return writeBinary(
      type.startsWith('float') || typeof raw === 'bigint' ? raw : Math.round(raw),
      type,
    );
  } catch (error) {
    throw new Misconfigured('MQTT_VALUE', `${type} cannot hold the value: use a wider type`, {
      cause: error,
    });
  }
}

function tooShort(payload: Buffer, wanted: number): Refused {
  return new Refused(
    'MQTT_TOO_SHORT',
    `the payload has ${payload.length} bytes, and at least ${wanted} are needed`,
  );
}

function base64Of(raw: Json): Buffer {
  // Node skips what is no base64: the bytes of any text would be some.
  const bytes = Buffer.from(typeof raw === 'string' ? raw : '', 'base64');
  const plain = (text: string): string => text.replace(/=+$/, '');
  const meant = typeof raw === 'string' && plain(raw.replace(/-/g, '+').replace(/_/g, '/'));
  if (meant === plain(bytes.toString('base64'))) return bytes;
  throw new Refused('MQTT_NOT_TEXT', `expected bytes as base64 text, found ${shown(raw)}`);
}

function scaled(
  raw: number,
  { scale, offset }: { readonly scale: number; readonly offset: number },
): number {
  return scale === 1 && offset === 0 ? raw : round(raw * scale + offset);
}

function unscaled(value: number, { scale, offset }: Layout): number {
  return scale === 1 && offset === 0 ? value : round((value - offset) / scale);
}

/** 12 significant digits: 0.1 × 553 is 55.3. */
function round(value: number): number {
  return Number(value.toPrecision(12));
}

function shown(raw: Json): string {
  const text = JSON.stringify(raw) ?? 'nothing';
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}
