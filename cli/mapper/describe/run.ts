/** `limpet mapper describe`: what a mapper's declaration says, in the form that is wanted. */
import type { Json, Mapper } from '@limpet/dmi';
import { stringify } from 'yaml';
import { processOutput } from '../../output.ts';
import type { DescribeOptions } from '../../verbs/mapper.ts';
import { findMapper, loadMapper } from '../authored.ts';
import { Modules } from '../modules.ts';
import { type Field, fieldsOf, samplesOf } from './fields.ts';
import { type JsonSchema, jsonSchemaOf } from './schema.ts';
import { fieldTable } from './table.ts';

/** What a mapper takes. */
export interface Description {
  readonly protocol: string;
  readonly settings: JsonSchema;
  readonly visitor: JsonSchema;
  readonly form: { readonly settings: readonly Field[]; readonly visitor: readonly Field[] };
  /** A DeviceModel and a Device to begin with. */
  readonly model: readonly Json[];
}

export async function runDescribe(
  where: string | undefined,
  options: DescribeOptions,
): Promise<number> {
  const output = processOutput(options.json === true);
  const place = await findMapper(where);
  const { mapper } = await loadMapper(place, new Modules(place.folder));
  const all = describe(mapper);
  const { protocol, settings, visitor, form, model } = all;
  if (options.jsonSchema) output.print(pretty({ protocol, settings, visitor }));
  else if (options.form) output.print(pretty({ protocol, ...form }));
  else if (options.model)
    output.print(model.map((each) => stringify(each).trimEnd()).join('\n---\n'));
  else if (output.json) output.printJson(all);
  else {
    output.print(
      `# ${protocol}\n\nSettings, how a device is reached:\n\n${fieldTable(form.settings)}`,
    );
    output.print(`\nVisitor, where a property lives:\n\n${fieldTable(form.visitor)}`);
  }
  return 0;
}

/** From its two schemas alone. @throws CliError SCHEMA_UNKNOWN */
export function describe(mapper: Mapper<unknown, unknown>): Description {
  const { protocol } = mapper;
  const [settings, visitor] = [jsonSchemaOf(mapper.settings), jsonSchemaOf(mapper.visitor)];
  const form = { settings: fieldsOf(settings), visitor: fieldsOf(visitor) };
  return { protocol, settings, visitor, form, model: modelOf(protocol, form) };
}

function modelOf(protocol: string, form: Description['form']): readonly Json[] {
  const apiVersion = 'limpet.dev/v1';
  const property = { name: 'value', type: 'float', every: '1s', visitor: samplesOf(form.visitor) };
  return [
    {
      apiVersion,
      kind: 'DeviceModel',
      metadata: { name: `${protocol}-model` },
      spec: { protocol, properties: [property] },
    },
    {
      apiVersion,
      kind: 'Device',
      metadata: { name: `${protocol}-1` },
      spec: { model: `${protocol}-model`, node: 'gateway-1', settings: samplesOf(form.settings) },
    },
  ];
}

const pretty = (value: unknown): string => JSON.stringify(value, undefined, 2);
