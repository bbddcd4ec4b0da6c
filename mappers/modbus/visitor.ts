/** Where a property lives on a Modbus device, and whether it can serve what the model says of it. */
import type { PropertyShape } from '@limpet/dmi';
import { range, together, told, unknownField } from '@limpet/dmi/schema';
import * as v from 'valibot';

/** The four tables of the Modbus data model. */
export type Table = 'coil' | 'discrete' | 'input' | 'holding';

const NUMBERS = {
  int16: 1,
  uint16: 1,
  int32: 2,
  uint32: 2,
  int64: 4,
  uint64: 4,
  float32: 2,
  float64: 4,
} as const;

/** A numeric type on the wire. */
export type NumberType = keyof typeof NUMBERS;

/** A visitor after validation, every default made explicit. */
export interface Visitor {
  readonly register: Table;
  readonly address: number;
  /** How many registers, or bits, it spans. */
  readonly count: number;
  readonly type: NumberType | 'bool' | 'string' | 'bytes';
  /** Only for a bool in a register: 0 is the least significant bit. */
  readonly bit?: number;
  /** Only for string and bytes: how many bytes. */
  readonly length?: number;
  readonly swapBytes: boolean;
  readonly swapWords: boolean;
  readonly scale: number;
  readonly offset: number;
}

const TYPES = ['bool', ...(Object.keys(NUMBERS) as NumberType[]), 'string', 'bytes'] as const;
const ORDERS = ['AB', 'BA', 'ABCD', 'CDAB', 'BADC', 'DCBA'] as const;
const KNOWN = 'register, address, type, bit, order, scale, offset, length';
const number = v.pipe(v.number('expected a number'), v.finite('expected a finite number'));

const fields = v.strictObject(
  {
    register: told(
      v.picklist(
        ['coil', 'discrete', 'input', 'holding'],
        'expected coil, discrete, input or holding',
      ),
      'the table it lies in',
      'holding',
    ),
    address: told(range(0, 65_535), 'its number in that table, from 0', 0),
    type: v.optional(
      told(
        v.picklist(TYPES, `expected one of ${TYPES.join(', ')}`),
        'how it is coded; bits are bool, registers uint16 by default',
        'float32',
      ),
    ),
    bit: v.optional(told(range(0, 15), 'of a bool in a register; 0 is the least')),
    order: v.optional(
      told(
        v.picklist(ORDERS, `expected one of ${ORDERS.join(', ')}`),
        'the order of bytes, A being the highest; ABCD by default',
        'CDAB',
      ),
    ),
    scale: v.optional(
      told(
        v.pipe(number, v.notValue(0, 'a scale of 0 loses the value')),
        'the value is raw times scale plus offset',
        0.1,
      ),
    ),
    offset: v.optional(told(number, 'see scale', -273.15)),
    length: v.optional(told(range(1, 250), 'bytes of a string or of bytes', 16)),
  },
  unknownField(KNOWN, 'a visitor needs register (coil, discrete, input or holding) and address'),
);
type Fields = v.InferOutput<typeof fields>;

/** The schema of a Modbus visitor. */
export const visitor = v.pipe(fields, together(faults), v.transform(explicit));

/** Why this visitor can never serve this property; `undefined` when it can. */
export function fits(visitor: Visitor, property: PropertyShape): string | undefined {
  const { register, type, count } = visitor;
  if (property.access === 'readWrite') {
    if (register === 'input' || register === 'discrete')
      return `${register} registers cannot be written; use access: read, or a coil or holding register`;
    // Modbus application protocol V1.1b3, §6.12: at most 123 registers are written at once
    if (count > 123) return 'at most 246 bytes can be written; shorten length or use access: read';
  }
  const wants = propertyTypes(visitor);
  if (wants.includes(property.type)) return undefined;
  if (property.type === 'int' && wants.includes('float'))
    return `${type} with scale ${visitor.scale} and offset ${visitor.offset} has fractions; declare the property's type as float`;
  return `${type} holds ${wants.join(' or ')}, not ${property.type}`;
}

function propertyTypes({ type, scale, offset }: Visitor): readonly PropertyShape['type'][] {
  if (type === 'bool' || type === 'string' || type === 'bytes') return [type];
  const whole = !type.startsWith('float') && Number.isInteger(scale) && Number.isInteger(offset);
  return whole ? ['int', 'float'] : ['float'];
}

type Checks = readonly (readonly [wrong: boolean, message: string])[];

function faults(fields: Fields): string[] {
  const type = typeOf(fields);
  const checks = [
    ...(isBits(fields) ? bitFaults(fields, type) : registerFaults(fields, type)),
    ...(type === 'string' || type === 'bytes' ? textFaults(fields, type) : []),
    ...(type === 'bool' ? unscaled(fields, type) : []),
    [
      fields.address + spanOf(fields) > 65_536,
      `address: ${type} at ${fields.address} reaches beyond 65535`,
    ] as const,
  ];
  return checks.flatMap(([wrong, message]) => (wrong ? [message] : []));
}

function bitFaults({ register, bit, order, length }: Fields, type: Visitor['type']): Checks {
  return [
    [type !== 'bool', `type: a ${register} holds bool, not ${type}`],
    [bit !== undefined, `bit: a ${register} is one bit already; remove bit`],
    [order !== undefined, `order: a ${register} has no byte order; remove order`],
    [length !== undefined, `length: a ${register} is one bit; remove length`],
  ];
}

function registerFaults({ bit, order, length }: Fields, type: Visitor['type']): Checks {
  const bool = type === 'bool';
  const text = type === 'string' || type === 'bytes';
  const wide = !bool && !text && NUMBERS[type] > 1;
  return [
    [bool && bit === undefined, 'bit: a bool in a register needs bit (0 to 15)'],
    [!bool && bit !== undefined, `bit: cannot be used with ${type}`],
    [!text && length !== undefined, `length: cannot be used with ${type}`],
    [wide && order?.length === 2, `order: a ${type} needs ABCD, CDAB, BADC or DCBA`],
  ];
}

function textFaults(fields: Fields, type: Visitor['type']): Checks {
  return [
    ...unscaled(fields, type),
    [fields.length === undefined, `length: a ${type} needs length, in bytes`],
    [swapsWords(fields), `order: a ${type} knows AB and BA only`],
  ];
}

function unscaled({ scale, offset }: Fields, type: Visitor['type']): Checks {
  return [[(scale ?? offset) !== undefined, `scale, offset: cannot be used with ${type}`]];
}

function explicit(fields: Fields): Visitor {
  const { register, address, bit, length, order, scale = 1, offset = 0 } = fields;
  return {
    register,
    address,
    count: spanOf(fields),
    type: typeOf(fields),
    ...(bit === undefined ? {} : { bit }),
    ...(length === undefined ? {} : { length }),
    swapBytes: order === 'BA' || order === 'BADC' || order === 'DCBA',
    swapWords: swapsWords(fields),
    scale,
    offset,
  };
}

function isBits({ register }: Fields): boolean {
  return register === 'coil' || register === 'discrete';
}

function typeOf(fields: Fields): Visitor['type'] {
  const single = isBits(fields) || fields.bit !== undefined ? 'bool' : 'uint16';
  return fields.type ?? single;
}

function spanOf(fields: Fields): number {
  const type = typeOf(fields);
  if (type === 'bool') return 1;
  if (type === 'string' || type === 'bytes') return Math.ceil((fields.length ?? 1) / 2);
  return NUMBERS[type];
}

function swapsWords({ order }: Fields): boolean {
  return order === 'CDAB' || order === 'DCBA';
}
