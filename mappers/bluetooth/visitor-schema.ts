/** What a model may say of where a property lives: checked once, all faults at once, and made explicit. */
import { duration, range, together, told, unknownField } from '@limpet/dmi/schema';
import * as v from 'valibot';
import { manufacturerKey, serviceKey } from './advertisement.ts';
import { bthomeKind } from './bthome.ts';
import type { Layout } from './layout.ts';
import { isWhole, NUMBERS, type NumberType } from './numbers.ts';
import { parseUuid } from './uuid.ts';
import type { FactSource, GattSource, HeardSource, Visitor } from './visitor.ts';

const TYPES = ['bool', ...(Object.keys(NUMBERS) as NumberType[]), 'text', 'bytes'] as const;
const FROM = ['manufacturer', 'service', 'name', 'rssi', 'txPower', 'waited'] as const;
const KNOWN =
  'from, company, uuid, object, nth, service, characteristic, descriptor, via, write, silence, match, matchAt, size, offset, type, endian, length, bit, mask, shift, scale, add, invalid';
const number = v.pipe(v.number('expected a number'), v.finite('expected a finite number'));
const uuidHint = 'expected a UUID, in quotes: "2a6e" or "12345678-1234-5678-1234-56789abc0001"';
const uuid = v.pipe(
  v.string(uuidHint),
  v.check((text) => parseUuid(text) !== undefined, uuidHint),
  v.transform((text) => parseUuid(text) ?? text),
);
const choice = <const Names extends readonly string[]>(names: Names) =>
  v.picklist(names, `expected ${names.join(', ')}`);

const fields = v.strictObject(
  {
    from: v.optional(told(choice(FROM), 'of devices that advertise: where it is heard', 'service')),
    company: v.optional(
      told(range(0, 0xffff), 'with manufacturer: the number of the company', 0x0499),
    ),
    uuid: v.optional(told(uuid, 'with service: its UUID', 'fcd2')),
    object: v.optional(told(range(0, 255), 'of BTHome: the id of the object', 2)),
    nth: v.optional(told(range(0, 31), 'of BTHome: which, of several with that id')),
    service: v.optional(told(uuid, 'of connected devices: the UUID of the service', '180f')),
    characteristic: v.optional(told(uuid, 'and of the characteristic', '2a19')),
    descriptor: v.optional(told(uuid, 'and of the descriptor, if it is one')),
    via: v.optional(
      told(
        choice(['read', 'notify', 'indicate']),
        'read when it is wanted, or told by the device; default read',
      ),
    ),
    write: v.optional(
      told(
        choice(['withResponse', 'withoutResponse']),
        'whether the device confirms it; default withResponse',
      ),
    ),
    silence: v.optional(told(duration('1s', '24h'), 'after which it is subscribed anew and read')),
    match: v.optional(told(hex(64), 'bytes that must stand in it', '0215')),
    matchAt: v.optional(told(range(0, 511), 'where those stand; default 0')),
    size: v.optional(told(range(0, 512), 'how many bytes there must be')),
    offset: v.optional(told(range(0, 511), 'where the value begins; default 0')),
    type: v.optional(told(choice(TYPES), 'how it is coded; default bytes', 'int16')),
    endian: v.optional(told(choice(['little', 'big']), 'the order of its bytes; default little')),
    length: v.optional(told(range(1, 512), 'of text or bytes: how many; default: the rest')),
    bit: v.optional(told(range(0, 7), 'of a bool; 0 is the least')),
    mask: v.optional(
      told(
        v.pipe(range(1, Number.MAX_SAFE_INTEGER)),
        'the bits of a whole number that count',
        0xfff,
      ),
    ),
    shift: v.optional(told(range(0, 63), 'by how many bits the masked number is moved down')),
    scale: v.optional(
      told(
        v.pipe(number, v.notValue(0, 'a scale of 0 loses the value')),
        'the value is raw times scale plus add',
        0.01,
      ),
    ),
    add: v.optional(told(number, 'see scale')),
    invalid: v.optional(
      told(
        v.union([number, v.array(number)], 'expected a raw number, or a list of them'),
        'raw numbers that mean no value',
        -32768,
      ),
    ),
  },
  unknownField(KNOWN, 'a visitor needs from, or service and characteristic'),
);
type Fields = v.InferOutput<typeof fields>;

/** The schema of a Bluetooth visitor. */
export const visitor = v.pipe(
  fields,
  together(faults),
  v.transform((given): Visitor => ({ source: sourceOf(given), layout: layoutOf(given) })),
);

/** What is wrong, and how to tell. */
type Rule = readonly [message: string, wrong: (given: Fields) => boolean];

const has = (...values: readonly unknown[]): boolean => values.some((value) => value !== undefined);
const polled = ({ via }: Fields): boolean => via === undefined || via === 'read';
const isFact = ({ from }: Fields): boolean =>
  has(from) && from !== 'manufacturer' && from !== 'service';
const numeric = ({ type }: Fields): boolean => type !== undefined && type in NUMBERS;
const whole = (given: Fields): boolean => numeric(given) && isWhole(given.type as NumberType);

const ATTRIBUTE_RULES: readonly Rule[] = [
  [
    'a visitor needs from (manufacturer, service, name, rssi, txPower, waited), or service and characteristic',
    (given) => !has(given.service, given.characteristic),
  ],
  [
    'service: needed with characteristic',
    (given) => has(given.characteristic) && !has(given.service),
  ],
  [
    'characteristic: needed with service',
    (given) => has(given.service) && !has(given.characteristic),
  ],
  ['silence: only with via: notify or indicate', (given) => has(given.silence) && polled(given)],
  ['via: a descriptor is read', (given) => has(given.descriptor) && !polled(given)],
  ['company, uuid: only with from', (given) => has(given.company, given.uuid)],
  ['object, nth: only with from: service', (given) => has(given.object, given.nth)],
];

const HEARD_RULES: readonly Rule[] = [
  [
    'service, characteristic, descriptor: not together with from',
    (given) => has(given.service, given.characteristic, given.descriptor),
  ],
  [
    'company: needed with from: manufacturer',
    (given) => given.from === 'manufacturer' && !has(given.company),
  ],
  ['uuid: needed with from: service', (given) => given.from === 'service' && !has(given.uuid)],
  [
    'object: only with from: service and uuid: "fcd2" (BTHome)',
    (given) => has(given.object) && (given.from !== 'service' || given.uuid !== 'fcd2'),
  ],
  [
    'object: not an id of BTHome version 2 that is known here',
    (given) => given.object !== undefined && bthomeKind(given.object) === undefined,
  ],
  [
    'via, write, silence: only with service and characteristic',
    (given) => has(given.via, given.write, given.silence),
  ],
];

const LAYOUT_RULES: readonly Rule[] = [
  [
    'type: needed, for what bit, scale and the like are about',
    (given) =>
      !has(given.type, given.object) &&
      !isFact(given) &&
      has(given.bit, given.scale, given.add, given.mask, given.invalid),
  ],
  ['bit: a bool needs bit (0 to 7)', (given) => given.type === 'bool' && !has(given.bit)],
  ['bit: only with type: bool', (given) => given.type !== 'bool' && has(given.bit)],
  ['length: only with type: text or bytes', (given) => numeric(given) && has(given.length)],
  ['mask: only with whole numbers', (given) => has(given.mask) && !whole(given)],
  ['shift: needs mask', (given) => has(given.shift) && !has(given.mask)],
  ['scale, add: only with numbers', (given) => has(given.scale, given.add) && !numeric(given)],
  ['matchAt: needs match', (given) => has(given.matchAt) && !has(given.match)],
];

function faults(given: Fields): string[] {
  const rules = [...(has(given.from) ? HEARD_RULES : ATTRIBUTE_RULES), ...LAYOUT_RULES];
  return rules.flatMap(([message, wrong]) => (wrong(given) ? [message] : []));
}

function sourceOf(given: Fields): HeardSource | FactSource | GattSource {
  const { from, company = 0, object, nth = 0, uuid = '' } = given;
  if (from === undefined) return attributeOf(given);
  if (from === 'manufacturer') return { kind: 'heard', key: manufacturerKey(company) };
  if (from !== 'service') return { kind: 'fact', fact: from };
  const key = serviceKey(uuid);
  return { kind: 'heard', key, ...(object !== undefined && { object: { id: object, nth } }) };
}

function attributeOf(given: Fields): GattSource {
  const { service = '', characteristic = '', descriptor, silence } = given;
  const { via = 'read', write = 'withResponse' } = given;
  return {
    kind: 'gatt',
    service,
    characteristic,
    ...(descriptor !== undefined && { descriptor }),
    via,
    write,
    ...(silence !== undefined && { silenceMs: silence }),
  };
}

function layoutOf(given: Fields): Layout {
  const { match, matchAt: at = 0, size, length, mask, endian } = given;
  return {
    ...(match !== undefined && { match: { bytes: match, at } }),
    ...(size !== undefined && { size }),
    ...(length !== undefined && { length }),
    ...(mask !== undefined && { mask: BigInt(mask) }),
    ...valueOf(given),
    bigEndian: endian === 'big',
  };
}

function valueOf(given: Fields): Omit<Layout, 'bigEndian'> {
  const { offset = 0, type = 'bytes', bit = 0, shift = 0, scale = 1, add = 0, invalid } = given;
  return { offset, type, bit, shift, scale, add, invalid: [invalid ?? []].flat() };
}

/** Bytes as hexadecimal digits in pairs, e.g. `0215` or `02 15`. */
function hex(maximumBytes: number) {
  const message = `expected 1 to ${maximumBytes} bytes as pairs of hexadecimal digits, in quotes, such as "0215"`;
  return v.pipe(
    v.string(message),
    v.regex(/^([0-9a-fA-F]{2}[ :]?)+$/, message),
    v.transform((text) => Uint8Array.from(Buffer.from(text.replaceAll(/[ :]/g, ''), 'hex'))),
    v.check((bytes) => bytes.length <= maximumBytes, message),
  );
}
