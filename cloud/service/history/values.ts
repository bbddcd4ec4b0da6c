/** A past value as a row has it: numbers as numbers, the rest as text. */
import type { Json } from '@limpet/dmi';
import type { Quality } from '@limpet/dmi/manifest';
import { canonical } from '#protocol/query';
import { plainText } from '../store/plain-text.ts';
import type { SampleRow } from './tables.ts';

const QUALITIES: readonly Quality[] = ['good', 'stale', 'bad'];
/** `kind`: the quality, plus what the value is. A good number is 0, which takes no room. */
const TYPE = { number: 0, bool: 4, text: 8, json: 12 } as const;

const DIGITS = /^-?\d{16,20}$/;

export type Packed = Pick<SampleRow, 'kind' | 'num' | 'text'>;

export function packed(value: Json, quality: Quality): Packed {
  const kind = Math.max(0, QUALITIES.indexOf(quality));
  if (typeof value === 'number') return { kind: kind + TYPE.number, num: value, text: null };
  if (typeof value === 'boolean') return { kind: kind + TYPE.bool, num: Number(value), text: null };
  if (typeof value === 'string') {
    // Integers beyond 2^53 are strings of digits, and are compared by their number too.
    const num = DIGITS.test(value) ? Number(value) : null;
    return { kind: kind + TYPE.text, num, text: plainText(value) };
  }
  return { kind: kind + TYPE.json, num: null, text: value === null ? null : canonical(value) };
}

export function unpacked({ kind, num, text }: Packed): { value: Json; quality: Quality } {
  const quality = QUALITIES[kind & 3] ?? 'bad';
  switch (kind - (kind & 3)) {
    case TYPE.number:
      return { value: num, quality };
    case TYPE.bool:
      return { value: num === 1, quality };
    case TYPE.text:
      return { value: text, quality };
    default:
      return { value: text === null ? null : (JSON.parse(text) as Json), quality };
  }
}

/** About what a row takes on the disk, with its part of the pages above it. */
export function bytesOf({ text }: Packed): number {
  return ROW_BYTES + (text?.length ?? 0);
}

const ROW_BYTES = 36;
