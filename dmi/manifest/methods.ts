/** The methods of a model, as far as they can be judged without its mapper. */
import * as v from 'valibot';
import { namedList } from './named-list.ts';
import { exact, isPropertyName, jsonObject, oneOf, text } from './schema.ts';

const MAX_METHODS = 1_000;
const MAX_ARGUMENTS = 64;

/** The types of properties and arguments. */
const TYPES = ['bool', 'int', 'float', 'string', 'bytes', 'json'] as const;

/** UCUM is not parsed: only what no unit can be is refused. */
export const unit: v.GenericSchema<string, string> = text(
  'a UCUM unit such as "Cel"',
  (value) => value !== '' && value.length <= 63,
);

/** The type of a value; what YAML, SQL and programming languages call it is known, and mended. */
export const typeWord: v.GenericSchema<unknown, (typeof TYPES)[number]> = oneOf(TYPES, {
  text: 'string',
  str: 'string',
  number: 'float',
  double: 'float',
  real: 'float',
  integer: 'int',
  boolean: 'bool',
  binary: 'bytes',
  object: 'json',
});

/** The name of a property, a method or an argument. */
export function nameOf(what: string): v.GenericSchema<string, string> {
  return text(
    `${what}: a letter or "_", then letters, digits, "_" and "-", at most 63`,
    isPropertyName,
  );
}

const description = v.optional(v.string());

function argumentsOf(what: 'input' | 'output'): v.GenericSchema {
  const argument = exact({
    name: nameOf('the name of an argument'),
    type: typeWord,
    description,
    unit: v.optional(unit),
  });
  const most = { what, most: MAX_ARGUMENTS, advice: 'put some together as one of type json' };
  return v.optional(namedList(argument, most));
}

/** `spec.methods`. */
export const methods: v.GenericSchema = namedList(
  exact({
    name: nameOf('a method name'),
    description,
    input: argumentsOf('input'),
    output: argumentsOf('output'),
    visitor: jsonObject('an object that says where the method lives'),
  }),
  { what: 'methods', most: MAX_METHODS, advice: 'split the model' },
);
