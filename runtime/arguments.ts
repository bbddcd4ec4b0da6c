/** The command line of an edge that runs by itself. */
import { parseArgs } from 'node:util';

export const USAGE =
  'usage: limpet-edge --config limpet.yaml [--log-level debug|info|warn|error]\n';

type Level = 'debug' | 'info' | 'warn' | 'error';

/** `undefined`: they are wrong, and {@link USAGE} says which are right. */
export function readArguments(): { readonly config: string; readonly level: Level } | undefined {
  try {
    const { values } = parseArgs({
      options: { config: { type: 'string' }, 'log-level': { type: 'string', default: 'info' } },
    });
    const level = values['log-level'];
    if (values.config === undefined || !isLevel(level)) return undefined;
    return { config: values.config, level };
  } catch {
    return undefined; // an argument that is not known: the usage says which are
  }
}

function isLevel(text: string): text is Level {
  return ['debug', 'info', 'warn', 'error'].includes(text);
}
