/** Which JavaScript values are JSON, and how people call the kind of a value. */
import type { Json } from '../value.ts';

const DEEPEST = 64;

/** `a number`, `text`, `a list`: names the kind of a value without showing it, for it may be a secret. */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string') return value === '' ? 'empty text' : 'text';
  if (typeof value === 'boolean') return 'true or false';
  if (typeof value === 'object') return 'an object';
  if (typeof value !== 'number') return `a ${typeof value}`;
  return Number.isFinite(value) ? 'a number' : 'a number that is not finite';
}

/**
 * Why `value` is not JSON of at most `maxBytes` bytes when written out, as a sentence's second half;
 * `undefined` when it is. Ends early on cycles and on structures that share parts to look small.
 */
export function jsonFault(
  value: unknown,
  maxBytes: number,
): { readonly tooLarge: boolean; readonly message: string } | undefined {
  const left = { bytes: maxBytes };
  const odd = walk(value, DEEPEST, left);
  if (left.bytes < 0) {
    return {
      tooLarge: true,
      message: `must be at most ${maxBytes} bytes as JSON; make it smaller`,
    };
  }
  return odd === undefined ? undefined : { tooLarge: false, message: odd };
}

/** Narrows to {@link Json}, within `maxBytes`. */
export function isJson(value: unknown, maxBytes: number): value is Json {
  return jsonFault(value, maxBytes) === undefined;
}

function walk(value: unknown, depth: number, left: { bytes: number }): string | undefined {
  if (depth === 0) return `must not nest deeper than ${DEEPEST} levels`;
  if (typeof value !== 'object' || value === null) return scalar(value, left);
  if (!isPlain(value)) return 'must be plain JSON';
  left.bytes -= 2;
  const listed = Array.isArray(value);
  for (const [key, item] of Object.entries(value)) {
    left.bytes -= listed ? 1 : 2;
    const odd = (listed ? undefined : scalar(key, left)) ?? walk(item, depth - 1, left);
    if (odd !== undefined || left.bytes < 0) return odd;
  }
  return undefined;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return Array.isArray(value) || prototype === Object.prototype || prototype === null;
}

function scalar(value: unknown, left: { bytes: number }): string | undefined {
  if (typeof value === 'string') {
    if (value.length > left.bytes) {
      left.bytes = -1;
      return undefined;
    }
    left.bytes -= Buffer.byteLength(JSON.stringify(value));
    return value.isWellFormed() ? undefined : 'must be well-formed Unicode text';
  }
  if (typeof value === 'number' && !Number.isFinite(value)) return 'must hold finite numbers only';
  if (value === null || typeof value === 'number' || typeof value === 'boolean') {
    left.bytes -= String(value).length;
    return undefined;
  }
  return `must be JSON; found ${kindOf(value)}`;
}
