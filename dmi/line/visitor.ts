/** Where a property lives on a device that speaks lines, and its value as text: pure, both ways. */
import * as v from 'valibot';
import { Garbled, Misconfigured } from '../errors.ts';
import type { PropertyShape } from '../mapper.ts';
import { range, told, unknownField } from '../schema.ts';
import type { Schema } from '../standard-schema.ts';
import type { PropertyType, Value } from '../value.ts';
import { quoted } from '../wire/dial.ts';
import { between } from '../wire/template.ts';

/** `{ ask: 'MEAS:VOLT?', set: 'VOLT {}' }`: enough to read it, to write it, and to simulate it. */
export interface LineVisitor {
  /** The line that asks for it. */
  readonly ask: string;
  /** The line that sets it, with `{}` where the value stands. */
  readonly set?: string | undefined;
  /** The answer, with `{}` where the value stands: `T={} C`. Default `{}`. */
  readonly answer: string;
  /** Of an answer with several values: which one; 0 is the first. */
  readonly field?: number | undefined;
  /** What the value looks like. */
  readonly type: 'number' | 'int' | 'bool' | 'text';
  /** The words for true and false. */
  readonly on: string;
  readonly off: string;
}

const line = (what: string, ...more: string[]) =>
  v.pipe(
    v.string(`expected ${what}`),
    v.minLength(1, `expected ${what}`),
    v.maxLength(1000, 'expected at most 1000 characters'),
    v.check((text) => !/[\r\n]/.test(text), 'expected one line'),
    v.description(what),
    v.examples(more),
  );
const template = (what: string, ...more: string[]) =>
  v.pipe(
    line(what, ...more),
    v.check((text) => text.split('{}').length === 2, 'expected {} once, where the value stands'),
  );

/** The schema of {@link LineVisitor}; of valibot, so that a mapper can build on it. */
export const lineVisitor: v.GenericSchema<unknown, LineVisitor> & Schema<LineVisitor> = v.pipe(
  v.strictObject(
    {
      ask: line('the line that asks for the value', 'MEAS:VOLT?'),
      set: v.optional(template('the line that sets it, {} being the value', 'VOLT {}')),
      answer: v.optional(template('the answer, {} being the value', '{}', 'T={} C'), '{}'),
      field: v.optional(
        told(range(0, 999), 'which value, where the answer has several; 0 is the first'),
      ),
      type: v.optional(
        v.pipe(
          v.picklist(['number', 'int', 'bool', 'text'], 'expected number, int, bool or text'),
          v.description('what the value looks like'),
        ),
        'number',
      ),
      on: v.optional(line('the word for true', 'ON'), '1'),
      off: v.optional(line('the word for false', 'OFF'), '0'),
    },
    unknownField(
      'ask, set, answer, field, type, on, off',
      'a visitor needs ask: the line that asks for the value',
    ),
  ),
  v.forward(
    v.check(({ on, off }) => on !== off, 'the words for true and false must differ'),
    ['on'],
  ),
);

const SERVES: Readonly<Record<LineVisitor['type'], readonly PropertyType[]>> = {
  number: ['float', 'int'],
  int: ['int', 'float'],
  bool: ['bool'],
  text: ['string'],
};

/** {@link Mapper.fits} of these visitors. */
export function lineFits(
  { type, set }: LineVisitor,
  { type: wanted, access }: PropertyShape,
): string | undefined {
  if (access === 'readWrite' && set === undefined) {
    return 'it is readWrite: add set, the line that sets it';
  }
  if (SERVES[type].includes(wanted)) return undefined;
  const fitting = Object.entries(SERVES).find(([, types]) => types.includes(wanted))?.[0];
  if (fitting === undefined) return `a line of text holds no ${wanted}`;
  return `a value of type ${type} is no ${wanted}: say type: ${fitting}`;
}

/**
 * The value in an answer.
 * @throws Garbled LINE_ANSWER when it is not there
 */
export function decodeLine(visitor: LineVisitor, answer: string, separator: string): Value {
  const inner = between(visitor.answer, answer);
  const { field } = visitor;
  const text = field === undefined ? inner : inner?.split(separator)[field]?.trim();
  const value = text === undefined ? undefined : parse(visitor, text);
  if (value !== undefined) return value;
  const where = field === undefined ? '' : ` in field ${field}`;
  throw new Garbled(
    'LINE_ANSWER',
    `expected ${expected(visitor)}${where} for ${quoted(visitor.ask)}, the device answered ${quoted(answer)}`,
  );
}

/**
 * A value as the line says it.
 * @throws Misconfigured LINE_VALUE when a line cannot say it
 */
export function encodeLine(visitor: LineVisitor, value: Value): string {
  const text = ENCODE[visitor.type](value, visitor);
  if (text !== undefined) return text;
  const what = {
    number: 'a finite number',
    int: 'a whole number',
    bool: 'true or false',
    text: 'one line of text',
  };
  throw new Misconfigured('LINE_VALUE', `expected ${what[visitor.type]}`);
}

const ENCODE: Readonly<
  Record<LineVisitor['type'], (value: Value, visitor: LineVisitor) => string | undefined>
> = {
  number: (value) =>
    typeof value === 'bigint' || (typeof value === 'number' && Number.isFinite(value))
      ? String(value)
      : undefined,
  // As digits: 1e21 is a whole number too.
  int: (value) =>
    typeof value === 'bigint' || Number.isInteger(value)
      ? BigInt(value as number).toString()
      : undefined,
  bool: (value, { on, off }) => (typeof value === 'boolean' ? (value ? on : off) : undefined),
  text: (value) =>
    // eslint-disable-next-line no-control-regex -- that is what a line cannot hold
    typeof value === 'string' && !/[\u0000-\u001f\u007f]/.test(value) ? value : undefined,
};

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

function parse({ type, on, off }: LineVisitor, text: string): Value | undefined {
  if (type === 'text') return text;
  if (type === 'bool') return text === on ? true : text === off ? false : undefined;
  if (type === 'int') return /^[+-]?\d+$/.test(text) ? whole(text) : undefined;
  const value = NUMBER.test(text) ? Number(text) : NaN;
  return Number.isFinite(value) ? value : undefined;
}

function whole(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text.replace(/^\+/, ''));
}

function expected({ type, on, off, answer }: LineVisitor): string {
  const what = {
    number: 'a number',
    int: 'a whole number',
    bool: `${on} or ${off}`,
    text: 'text',
  }[type];
  return answer === '{}' ? what : `${what} in ${quoted(answer)}`;
}
