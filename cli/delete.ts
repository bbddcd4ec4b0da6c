/** `limpet delete`. */
import { usage } from './cli-error.ts';
import { withApi } from './client.ts';
import { parseKind, parseName, title } from './names.ts';
import { processOutput } from './output.ts';
import type { DeleteOptions } from './verbs/delete.ts';

export async function runDelete(
  words: { readonly kind: string; readonly name: string },
  options: DeleteOptions,
): Promise<number> {
  const kind = parseKind(words.kind);
  if (kind === 'Node')
    throw usage('only devices and models can be deleted: a node is gone when its edge is.');
  const { namespace, name } = parseName(words.name, options.namespace);
  const output = processOutput(options.json === true);
  return withApi(options, async (api) => {
    await api.delete({ kind, namespace, name });
    if (output.json) output.printJson({ kind, namespace, name, result: 'deleted' });
    else output.print(`${title(kind, namespace, name)} deleted`);
    return 0;
  });
}
