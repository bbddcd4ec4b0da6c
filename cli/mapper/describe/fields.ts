/** The fields that a JSON Schema has, as a person fills them in; a form, a table and a model are made of them (pure). */
import type { Json } from '@limpet/dmi';
import type { JsonSchema } from './schema.ts';

/** One field of a form. */
export interface Field {
  readonly name: string;
  readonly label: string;
  readonly kind: 'text' | 'number' | 'switch' | 'choice' | 'object' | 'list' | 'json';
  readonly required: boolean;
  readonly whole?: true;
  readonly choices?: readonly Json[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: Json;
  readonly help?: string;
  readonly examples?: readonly Json[];
  /** Of an object. */
  readonly fields?: readonly Field[];
}

const MAX_DEPTH = 5;

/** In the order of the schema; of several shapes (`anyOf`) those of all, required where all require them. */
export function fieldsOf(schema: JsonSchema, depth = 0): readonly Field[] {
  if (depth === MAX_DEPTH) return [];
  const shapes = [schema, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].filter(
    (each) => each.properties !== undefined,
  );
  const fields = new Map<string, Field>();
  for (const { properties = {} } of shapes) {
    for (const [name, each] of Object.entries(properties)) {
      const required = shapes.every((shape) => shape.required?.includes(name));
      if (!fields.has(name)) fields.set(name, field(name, each, { required, depth }));
    }
  }
  return [...fields.values()];
}

/** What would do for a field: the first example, its default, or the least of its kind. */
function sampleOf(each: Field): Json {
  const { examples, choices, kind, fields = [], minimum = 0 } = each;
  const told = examples?.[0] ?? each.default ?? choices?.[0];
  if (told !== undefined) return told;
  const least: Readonly<Record<Field['kind'], () => Json>> = {
    text: () => '',
    number: () => minimum,
    switch: () => false,
    choice: () => '',
    object: () => samplesOf(fields),
    list: () => [],
    json: () => '',
  };
  return least[kind]();
}

/** Of the required ones; where any of several would do, of the first that has an example. */
export function samplesOf(fields: readonly Field[]): { readonly [key: string]: Json } {
  const required = fields.filter((each) => each.required);
  const wanted =
    required.length > 0
      ? required
      : fields.filter(({ examples }) => examples !== undefined).slice(0, 1);
  return Object.fromEntries(wanted.map((each) => [each.name, sampleOf(each)]));
}

function field(
  name: string,
  schema: JsonSchema,
  { required, depth }: { readonly required: boolean; readonly depth: number },
): Field {
  const choices = choicesOf(schema);
  const kind = choices === undefined ? kindOf(schema) : 'choice';
  const { minimum = schema.exclusiveMinimum, maximum, description, examples } = schema;
  return {
    name,
    label: schema.title ?? labelOf(name),
    kind,
    required,
    ...(schema.type === 'integer' && { whole: true as const }),
    ...(choices && { choices }),
    ...(minimum !== undefined && { minimum }),
    ...(maximum !== undefined && { maximum }),
    ...(schema.default !== undefined && { default: schema.default }),
    ...(description !== undefined && { help: description }),
    ...(examples !== undefined && { examples }),
    ...(kind === 'object' && { fields: fieldsOf(schema, depth + 1) }),
  };
}

function choicesOf({ enum: words, anyOf, oneOf }: JsonSchema): readonly Json[] | undefined {
  if (words !== undefined) return words;
  const options = anyOf ?? oneOf ?? [];
  const constants = options.map((each) => each.const).filter((each) => each !== undefined);
  return options.length > 0 && constants.length === options.length ? constants : undefined;
}

function kindOf({ type, properties, anyOf, oneOf }: JsonSchema): Field['kind'] {
  if (properties !== undefined) return 'object';
  if ([...(anyOf ?? []), ...(oneOf ?? [])].some((each) => each.properties !== undefined))
    return 'object';
  const kinds: Readonly<Record<string, Field['kind']>> = {
    string: 'text',
    number: 'number',
    integer: 'number',
    boolean: 'switch',
    array: 'list',
    object: 'object',
  };
  return (typeof type === 'string' ? kinds[type] : undefined) ?? 'json';
}

/** `timeoutMs` is `Timeout ms`. */
function labelOf(name: string): string {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll(/[-_]/g, ' ')
    .toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
