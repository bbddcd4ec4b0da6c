/** The JSON Schema of what a person writes, out of a mapper's own schema: by the standard's way, or valibot's. */
import type { Json, Schema } from '@limpet/dmi';
import { toJsonSchema } from '@valibot/to-json-schema';
import { type GenericSchema, getDescription, getExamples, getTitle } from 'valibot';
import { CliError } from '../../cli-error.ts';

/** As much of JSON Schema (2020-12) as is read here; what else it says stays in it. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly examples?: readonly Json[];
  readonly default?: Json;
  readonly enum?: readonly Json[];
  readonly const?: Json;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly pattern?: string;
  readonly items?: JsonSchema;
  readonly [key: string]: unknown;
}

interface Standard {
  readonly vendor: string;
  readonly jsonSchema?: { readonly input: (options: { readonly target: string }) => unknown };
}

/** Of the input: what stands in a manifest. @throws CliError SCHEMA_UNKNOWN */
export function jsonSchemaOf(schema: Schema<unknown>): JsonSchema {
  const standard = schema['~standard'] as Standard;
  if (standard.jsonSchema !== undefined) {
    return standard.jsonSchema.input({ target: 'draft-2020-12' }) as JsonSchema;
  }
  if (standard.vendor !== 'valibot') {
    throw new CliError(
      1,
      'SCHEMA_UNKNOWN',
      `${standard.vendor} does not tell its schemas as JSON Schema (Standard JSON Schema): use a version that does, or valibot`,
    );
  }
  // What JSON Schema cannot say, such as a check by code, is left out.
  const told: unknown = toJsonSchema(schema as unknown as GenericSchema, {
    target: 'draft-2020-12',
    typeMode: 'input',
    errorMode: 'ignore',
  });
  return annotated(schema as unknown as Node, told as JsonSchema);
}

/** As much of a valibot schema as is walked through. */
interface Node {
  readonly pipe?: readonly Node[];
  readonly wrapped?: Node;
  readonly entries?: Readonly<Record<string, Node>>;
  readonly options?: readonly Node[];
}

/** What fields say of themselves behind a transformation: the library stops there, for what comes after is output. */
function annotated(schema: Node, json: JsonSchema): JsonSchema {
  const { entries, options } = core(schema);
  const own = { ...json };
  const { properties, anyOf } = json;
  if (entries !== undefined && properties !== undefined) {
    const each = Object.entries(properties).map(([name, part]) => {
      const entry = entries[name];
      return [name, entry === undefined ? part : { ...saidOf(entry), ...annotated(entry, part) }];
    });
    Object.assign(own, { properties: Object.fromEntries(each) });
  }
  if (options !== undefined && anyOf?.length === options.length) {
    Object.assign(own, { anyOf: anyOf.map((part, at) => annotated(options[at] as Node, part)) });
  }
  return own;
}

/** Without what is around it. */
function core(schema: Node): Node {
  const inner = schema.wrapped ?? schema.pipe?.[0];
  return inner === undefined || inner === schema || schema.entries !== undefined
    ? schema
    : core(inner);
}

function saidOf(schema: Node): {
  description?: string;
  title?: string;
  examples?: readonly Json[];
} {
  const here = schema as unknown as GenericSchema;
  const [description, title, examples] = [getDescription(here), getTitle(here), getExamples(here)];
  return {
    ...(schema.wrapped && saidOf(schema.wrapped)),
    ...(description !== undefined && { description }),
    ...(title !== undefined && { title }),
    ...(examples.length > 0 && { examples: examples as readonly Json[] }),
  };
}
