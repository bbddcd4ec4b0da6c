/** The usual way to start a mapper's process: this Node, this program's child, and nothing of the environment. */
import path from 'node:path';
import process from 'node:process';
import { type ChildCommand } from './mapper-process.ts';
import { NODE_ENVIRONMENT, NODE_FLAGS } from './node-flags.ts';

export interface CommandOptions {
  readonly protocol: string;
  /** Its module as a file URL; without it the bundle carries the mapper. */
  readonly module?: string;
  /** The folder of its own that the mapper is told of. */
  readonly folder?: string;
  /** More flags for Node: heap ceiling, permissions. */
  readonly flags?: readonly string[];
}

export function mapperCommand(options: CommandOptions): ChildCommand {
  const { protocol, module, folder, flags = [] } = options;
  const sources = import.meta.filename.endsWith('.ts');
  const entry = path.join(import.meta.dirname, sources ? 'child/main.ts' : 'limpet-mapper.mjs');
  return {
    file: process.execPath,
    args: [
      ...NODE_FLAGS,
      // Young garbage goes when a fifth of its room is used, not four fifths: the rest is never touched. 0.5 to 0.8 MB.
      '--minor-gc-task-trigger=20',
      // Taken from the mapper before it loads: see child/collector.
      '--expose-gc',
      ...(sources ? ['--conditions=source'] : []),
      ...flags,
      entry,
      `--protocol=${protocol}`,
      ...(module === undefined ? [] : [`--module=${module}`]),
      ...(folder === undefined ? [] : [`--folder=${folder}`]),
    ],
    env: {
      ...NODE_ENVIRONMENT,
      ...(process.env['TZ'] !== undefined && { TZ: process.env['TZ'] }),
    },
  };
}
