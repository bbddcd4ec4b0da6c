/** From the words on a command line to an order: the place, and the value by the property's type. */
import type { Json, PropertyType } from '@limpet/dmi';
import type { DeviceModel } from '@limpet/dmi/manifest';
import { usage } from '../cli-error.ts';

export interface Place {
  readonly namespace: string;
  readonly name: string;
  readonly property: string;
}

/** `boiler-1.setpoint` or `plant/boiler-1.setpoint`. */
export function parsePlace(text: string, namespace: string): Place {
  const match = /^(?:([^/.]+)\/)?([^/.]+)\.([^/.]+)$/.exec(text);
  const [, given, name, property] = match ?? [];
  if (name === undefined || property === undefined) {
    throw usage(
      `"${text}" is not DEVICE.PROPERTY: write it like boiler-1.setpoint or plant/boiler-1.setpoint.`,
    );
  }
  return { namespace: given ?? namespace, name, property };
}

/**
 * The JSON that `text` stands for, given the type that the model declares; whether it fits is checked by the same
 * rules as everywhere (`checkOrder`). `null` withdraws; text that must not be read so stands in JSON quotes.
 */
export function parseValue(model: DeviceModel, property: string, text: string): Json {
  if (text === 'null') return null;
  const type = model.spec.properties.find(({ name }) => name === property)?.type;
  return parseAs(type, text);
}

/** The JSON that `text` stands for as a value of this type. */
export function parseAs(type: PropertyType | undefined, text: string): Json {
  switch (type) {
    case 'bool':
      return switchWords.get(text.toLowerCase()) ?? text;
    case 'int':
      return integerOr(text);
    case 'float':
      return numberOr(text);
    case 'string':
      return /^".*"$/s.test(text) ? jsonOr(text) : text;
    case 'json':
      return parseJson(text);
    // What is unknown is refused by the check that follows, with the nearest name.
    case 'bytes':
    case undefined:
      return text;
  }
}

const switchWords: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['on', true],
  ['false', false],
  ['off', false],
]);

/** Beyond 2^53 an int stays decimal text: a number would lose digits. */
function integerOr(text: string): Json {
  return /^-?\d+$/.test(text) && !Number.isSafeInteger(Number(text)) ? text : numberOr(text);
}

function numberOr(text: string): Json {
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? value : text;
}

function jsonOr(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

function parseJson(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw usage(
      `the value is not JSON (${error instanceof Error ? error.message : String(error)}); quote it for the shell: '{"a":1}'.`,
    );
  }
}
