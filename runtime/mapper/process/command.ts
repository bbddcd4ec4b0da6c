/** The usual way to start a mapper's process: this Node, this program's child, and nothing of the environment. */
import path from 'node:path';
import process from 'node:process';
import { type ChildCommand } from './mapper-process.ts';
import { NODE_ENVIRONMENT, NODE_FLAGS } from './node-flags.ts';

export interface CommandOptions {
  readonly protocol: string;
  /** Its module as a file URL; without it the bundle carries the mapper. */
  readonly module?: string;
  /** More flags for Node: heap ceiling, permissions. */
  readonly flags?: readonly string[];
}

export function mapperCommand({ protocol, module, flags = [] }: CommandOptions): ChildCommand {
  const sources = import.meta.filename.endsWith('.ts');
  const folder = import.meta.dirname;
  const entry = path.join(folder, sources ? 'child/main.ts' : 'limpet-mapper.mjs');
  return {
    file: process.execPath,
    args: [
      ...NODE_FLAGS,
      ...(sources ? ['--conditions=source'] : []),
      ...flags,
      entry,
      `--protocol=${protocol}`,
      ...(module === undefined ? [] : [`--module=${module}`]),
    ],
    env: {
      ...NODE_ENVIRONMENT,
      ...(process.env['TZ'] !== undefined && { TZ: process.env['TZ'] }),
    },
  };
}
