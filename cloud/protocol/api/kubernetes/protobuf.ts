/** As much of protobuf's encoding as Kubernetes clients cannot be talked out of. Pure. */
import { badRequest } from '../status.ts';

/** Wire types: how long a field is. */
const VARINT = 0;
const FIXED_64 = 1;
const DELIMITED = 2;
const FIXED_32 = 5;

/** The messages, texts or bytes with this number, in order. @throws ApiError BadRequest */
export function messagesIn(bytes: Buffer, number: number): readonly Buffer[] {
  const found: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    const key = varint(bytes, at);
    const field = fieldAt(bytes, key.end, key.value % 8);
    if (field.end > bytes.length) throw garbled();
    if (key.value % 8 === DELIMITED && Math.floor(key.value / 8) === number) {
      found.push(bytes.subarray(field.start, field.end));
    }
    at = field.end;
  }
  return found;
}

/** The last text with this number; empty when there is none, which protobuf does not tell apart. */
export function textIn(bytes: Buffer, number: number): string {
  return messagesIn(bytes, number).at(-1)?.toString() ?? '';
}

function fieldAt(bytes: Buffer, start: number, wire: number): { start: number; end: number } {
  switch (wire) {
    case VARINT:
      return { start, end: varint(bytes, start).end };
    case FIXED_64:
      return { start, end: start + 8 };
    case DELIMITED: {
      const { value, end } = varint(bytes, start);
      return { start: end, end: end + value };
    }
    case FIXED_32:
      return { start, end: start + 4 };
    default:
      throw garbled();
  }
}

function varint(bytes: Buffer, start: number): { value: number; end: number } {
  let value = 0;
  for (let at = start, scale = 1; scale <= 2 ** 63; at += 1, scale *= 128) {
    const byte = bytes[at];
    if (byte === undefined) throw garbled();
    value += (byte % 128) * scale;
    if (byte < 128) return { value, end: at + 1 };
  }
  throw garbled();
}

function garbled(): Error {
  return badRequest('the body is not valid protobuf');
}
