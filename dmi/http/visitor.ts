/** Where a property lives on a device that speaks JSON over HTTP, and its value as JSON: pure, both ways. */
import * as v from 'valibot';
import { Garbled, Misconfigured } from '../errors.ts';
import type { PropertyShape } from '../mapper.ts';
import { unknownField } from '../schema.ts';
import type { Schema } from '../standard-schema.ts';
import type { Json, PropertyType, Value } from '../value.ts';
import { quoted } from '../wire/dial.ts';
import { holdsPlace, isPointer } from './pointer.ts';

/** `{ path: '/status', pointer: '/relays/0/ison' }`: enough to read it and to simulate it. */
export interface HttpVisitor {
  /** What is got. */
  readonly path: string;
  /** Where in the answer the value stands, as a JSON pointer; empty: the answer is the value. */
  readonly pointer: string;
  /** How it is set. */
  readonly set?: HttpSet | undefined;
  /** What the value must be; `json`: whatever is there. */
  readonly type: 'number' | 'bool' | 'text' | 'json';
  /** What the device takes, and may answer, for true and false. */
  readonly on: string | number | boolean;
  readonly off: string | number | boolean;
}

/** `{ path: '/relay/0?turn={}', method: 'GET' }` or `{ path: '/config', body: { brightness: '{}' } }`. */
export interface HttpSet {
  readonly method: 'PUT' | 'POST' | 'PATCH' | 'GET';
  /** With `{}` where the value stands, unless that is in the body. */
  readonly path: string;
  readonly body?: Json | undefined;
}

const PATH = 'a path such as /status';
const path = v.pipe(
  v.string(`expected ${PATH}`),
  v.maxLength(2000, 'expected at most 2000 characters'),
  v.check(
    (text) => /^\/[\x21-\x7e]*$/.test(text),
    `expected ${PATH}: it begins with / and has no blanks`,
  ),
);
const word = v.union(
  [v.string(), v.number(), v.boolean()],
  'expected text, a number, true or false',
);
const json = v.custom<Json>((value) => value !== undefined, 'expected JSON');

const set = v.pipe(
  v.strictObject(
    {
      method: v.optional(
        v.picklist(['PUT', 'POST', 'PATCH', 'GET'], 'expected PUT, POST, PATCH or GET'),
        'PUT',
      ),
      path: v.pipe(
        path,
        v.description('where it is set, {} being the value'),
        v.examples(['/relay/0?turn={}']),
      ),
      body: v.optional(
        v.pipe(
          json,
          v.description('what is sent, "{}" being the value'),
          v.examples([{ level: '{}' }]),
        ),
      ),
    },
    'expected an object with path, and if need be method and body',
  ),
  v.check(
    ({ path: where, body }) => where.includes('{}') || (body !== undefined && holdsPlace(body)),
    'expected {} in the path, or "{}" in the body, where the value stands',
  ),
);

/** The schema of {@link HttpVisitor}; of valibot, so that a mapper can build on it. */
export const httpVisitor: v.GenericSchema<unknown, HttpVisitor> & Schema<HttpVisitor> =
  v.strictObject(
    {
      path: v.pipe(path, v.description('what is got'), v.examples(['/status'])),
      pointer: v.optional(
        v.pipe(
          v.string('expected a JSON pointer such as /relays/0/ison'),
          v.check(isPointer, 'expected a JSON pointer such as /relays/0/ison'),
          v.description('where in the answer the value stands, as a JSON pointer'),
          v.examples(['/temperature', '/relays/0/ison']),
        ),
        '',
      ),
      set: v.optional(v.pipe(set, v.description('how it is set'))),
      type: v.optional(
        v.pipe(
          v.picklist(['number', 'bool', 'text', 'json'], 'expected number, bool, text or json'),
          v.description('what the value must be; json: whatever is there'),
        ),
        'json',
      ),
      on: v.optional(v.pipe(word, v.description('what stands for true')), true),
      off: v.optional(v.pipe(word, v.description('what stands for false')), false),
    },
    unknownField('path, pointer, set, type, on, off', 'a visitor needs path: what is got'),
  );

const SERVES: Readonly<Record<HttpVisitor['type'], readonly PropertyType[]>> = {
  number: ['float', 'int'],
  bool: ['bool'],
  text: ['string'],
  json: ['float', 'int', 'bool', 'string', 'json'],
};

/** {@link Mapper.fits} of these visitors. */
export function httpFits(
  { type, set: setting }: HttpVisitor,
  { type: wanted, access }: PropertyShape,
): string | undefined {
  if (access === 'readWrite' && setting === undefined) {
    return 'it is readWrite: add set, with the path, and the body, that set it';
  }
  if (SERVES[type].includes(wanted)) return undefined;
  return wanted === 'bytes' ? 'JSON holds no bytes' : `a value of type ${type} is no ${wanted}`;
}

/**
 * The value that JSON says.
 * @throws Garbled HTTP_VALUE when it is none of the visitor's type
 */
export function decodeJson(visitor: HttpVisitor, found: Json): Value {
  const { type, on, off, path: where, pointer } = visitor;
  const value = DECODE[type](found, visitor);
  if (value !== undefined) return value;
  const what = { number: 'a number', text: 'text', json: 'JSON' };
  const wanted = type === 'bool' ? `${String(on)} or ${String(off)}` : what[type];
  throw new Garbled('HTTP_VALUE', `expected ${wanted} at ${quoted(`${where}#${pointer}`)}`);
}

const DECODE: Readonly<
  Record<HttpVisitor['type'], (found: Json, visitor: HttpVisitor) => Json | undefined>
> = {
  json: (found) => found,
  text: (found) => (typeof found === 'string' ? found : undefined),
  // Many devices send numbers as text.
  number: (found) => {
    const value = typeof found === 'string' && found.trim() !== '' ? Number(found) : found;
    return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
  },
  bool: (found, { on, off }) => {
    if (found === on || found === true) return true;
    return found === off || found === false ? false : undefined;
  },
};

/**
 * A value as JSON.
 * @throws Misconfigured HTTP_VALUE when that cannot say it
 */
export function encodeJson({ type, on, off }: HttpVisitor, value: Value): Json {
  const plain = plainJson(value);
  const is = { number: 'number', text: 'string', bool: 'boolean', json: typeof plain }[type];
  if (typeof plain !== is) throw unfit(`a value of type ${type}`);
  if (typeof plain === 'boolean') return plain ? on : off;
  return plain;
}

function plainJson(value: Value): Json {
  if (value instanceof Uint8Array) throw unfit('no bytes');
  const plain = typeof value === 'bigint' ? Number(value) : value;
  if (typeof value === 'bigint' && !Number.isSafeInteger(plain)) throw unfit('a number up to 2^53');
  // Half of a character is none: no path can say it.
  if (typeof plain === 'string' && !plain.isWellFormed()) throw unfit('text');
  if (typeof plain === 'number' && !Number.isFinite(plain)) throw unfit('a finite number');
  return plain as Json;
}

function unfit(what: string): Misconfigured {
  return new Misconfigured('HTTP_VALUE', `expected ${what}`);
}
