/** Fields as a table of Markdown, for a README and for the eye (pure). */
import type { Json } from '@limpet/dmi';
import type { Field } from './fields.ts';

const HEAD = ['field', 'what', 'value', 'default', 'example'] as const;

export function fieldTable(fields: readonly Field[]): string {
  const rows = flat(fields, '').map(({ path, field }) => [
    `\`${path}\``,
    field.help ?? '',
    valueText(field),
    field.required ? 'required' : field.default === undefined ? '' : code(field.default),
    (field.examples ?? []).slice(0, 2).map(code).join(', '),
  ]);
  const all = [HEAD, ...rows];
  const widths = HEAD.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(HEAD), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

function flat(
  fields: readonly Field[],
  before: string,
): readonly { readonly path: string; readonly field: Field }[] {
  return fields.flatMap((field) => {
    const path = `${before}${field.name}`;
    return [{ path, field }, ...flat(field.fields ?? [], `${path}.`)];
  });
}

function valueText({ kind, choices, minimum, maximum, whole }: Field): string {
  if (choices !== undefined) return choices.map(code).join(', ');
  const name = {
    text: 'text',
    number: whole ? 'whole number' : 'number',
    switch: 'true, false',
    choice: '',
    object: 'object',
    list: 'list',
    json: 'JSON',
  }[kind];
  if (minimum === undefined && maximum === undefined) return name;
  if (maximum === undefined) return `${name} from ${minimum}`;
  return minimum === undefined ? `${name} up to ${maximum}` : `${name}, ${minimum} to ${maximum}`;
}

function code(value: Json): string {
  // A bar would end the cell.
  return `\`${(typeof value === 'string' ? value : JSON.stringify(value)).replaceAll('|', '\\|')}\``;
}
