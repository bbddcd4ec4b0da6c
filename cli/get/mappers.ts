/** `limpet get mappers`: a mapper is no resource of its own, but a fact of its node. */
import process from 'node:process';
import type { MapperFacts } from '@limpet/dmi/manifest';
import { CliError, usage } from '../cli-error.ts';
import { withApi } from '../client.ts';
import { nodesOf } from '../nodes.ts';
import { type Output, processOutput } from '../output.ts';
import { linesOf, mapperTable, type Shown } from '../render/mappers.ts';
import { layOut } from '../render/table.ts';
import type { GetOptions } from '../verbs/get.ts';

export async function runGetMappers(
  protocol: string | undefined,
  options: GetOptions,
): Promise<number> {
  if (options.watch === true) {
    throw usage(
      'mappers cannot be watched: watch their nodes, with "limpet get nodes -w -o json".',
    );
  }
  if (options.selector !== undefined) {
    throw usage('mappers have no labels: -l goes with devices, models and nodes.');
  }
  return withApi(options, async (api) => {
    const shown = (await nodesOf(api, undefined)).flatMap(({ metadata, status }) => {
      const mappers: readonly MapperFacts[] = status?.facts?.mappers ?? [];
      return mappers.map((mapper) => ({
        node: metadata.name,
        online: status?.state === 'online',
        mapper,
      }));
    });
    const chosen = shown.filter(({ mapper }) => (protocol ?? mapper.protocol) === mapper.protocol);
    if (protocol !== undefined && chosen.length === 0) throw absent(protocol, shown);
    const form = options.json === true ? 'json' : options.output;
    await print(chosen, { form, single: protocol !== undefined }, processOutput(form === 'json'));
    return 0;
  });
}

async function print(
  shown: readonly Shown[],
  { form, single }: { readonly form: GetOptions['output']; readonly single: boolean },
  output: Output,
): Promise<void> {
  const document = { items: shown.map(({ node, mapper }) => ({ node, ...mapper })) };
  if (form === 'json') {
    output.print(JSON.stringify(document, null, process.stdout.isTTY ? 2 : 0));
  } else if (form === 'yaml') {
    const { stringify } = await import('yaml');
    output.print(stringify(document).trimEnd());
  } else if (shown.length === 0) {
    output.note('No mappers.');
  } else {
    const wide = form === 'wide';
    const table = mapperTable(shown, { wide, now: Date.now() });
    for (const line of layOut(table, { colour: output.colour })) output.print(line);
    if (wide || single) for (const line of linesOf(shown)) output.print(line);
  }
}

function absent(protocol: string, shown: readonly Shown[]): CliError {
  const known = [...new Set(shown.map(({ mapper }) => mapper.protocol))].join(', ') || 'none';
  return new CliError(1, 'NotFound', `no mapper for protocol "${protocol}" (there are: ${known}).`);
}
