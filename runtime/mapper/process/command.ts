/** The usual way to start a mapper's process: this Node, this program's child, and nothing of the environment. */
import path from 'node:path';
import process from 'node:process';
import { type ChildCommand } from './mapper-process.ts';

/** Those of the edge's launcher, for the same reasons; the ceiling of the heap is the budget's business. */
const FLAGS = [
  '--max-semi-space-size=1',
  '--optimize-for-size',
  '--v8-pool-size=0',
  '--no-maglev',
  '--memory-balancer',
  '--memory-balancer-c-value=3e-9',
];
const ENVIRONMENT = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_TRIM_THRESHOLD_: '16384',
  MALLOC_MMAP_THRESHOLD_: '16384',
  MALLOC_TOP_PAD_: '0',
  UV_THREADPOOL_SIZE: '1',
};

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
      ...FLAGS,
      ...(sources ? ['--conditions=source'] : []),
      ...flags,
      entry,
      `--protocol=${protocol}`,
      ...(module === undefined ? [] : [`--module=${module}`]),
    ],
    env: {
      ...ENVIRONMENT,
      ...(process.env['TZ'] !== undefined && { TZ: process.env['TZ'] }),
    },
  };
}
