/** The command of a mapper's process with everything taken away that its manifest does not declare. */
import { readdirSync, realpathSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { heapLimitMiB } from '../../health/share.ts';
import { granted, needsAddons, type Permissions, permissionsArgument } from './permissions.ts';

/** What is run, as the host of processes takes it. */
interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface SandboxOptions {
  readonly permissions: Permissions;
  /** The mapper's package; none where the bundle carries it. */
  readonly folder?: string | undefined;
  /** The folder it may write, and where it runs. Exists. */
  readonly scratch: string;
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

/** Where util-linux is: the kernel ends it with the core, also when it spins and hears of nothing. */
const WITH_CORE =
  'setpriv --pdeathsig KILL true 2>/dev/null && exec setpriv --pdeathsig KILL "$0" "$@"';
/** Names and time zone of the place, and which Bluetooth library to use; everything else of the environment may hold secrets. */
const KEPT = ['PATH', 'TZ', 'LANG', 'LC_ALL', 'LIMPET_NOBLE'];

/** Flags for Node: permissions, and a heap that fills before the budget does. */
export function sandboxFlags(options: SandboxOptions): string[] {
  const { permissions, memoryBytes } = options;
  return [
    `--max-old-space-size=${heapLimitMiB(memoryBytes)}`,
    '--permission',
    // Said at each start of Node otherwise, in the last lines of every mapper.
    '--disable-warning=SecurityWarning',
    ...readable(options).map((each) => `--allow-fs-read=${each}`),
    ...writable(options).map((each) => `--allow-fs-write=${each}`),
    ...(needsAddons(permissions) ? ['--allow-addons'] : []),
  ];
}

/**
 * The command, in its scratch folder with an empty environment. A shell sets what Node cannot: no core dumps, which
 * would hold passwords, no file larger than the ceiling; then it is replaced by Node.
 */
export function sandboxed(
  { file, args, env }: Command,
  { permissions, scratch, diskBytes }: SandboxOptions,
): Command & { readonly cwd: string } {
  const blocks = Math.ceil(diskBytes / 512);
  const kept = KEPT.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value]];
  });
  return {
    file: '/bin/sh',
    args: [
      '-c',
      // Where a limit is lower already, that one stays.
      `{ ulimit -c 0; ulimit -f ${blocks}; } 2>/dev/null; ${WITH_CORE}; exec "$0" "$@"`,
      file,
      ...args,
      permissionsArgument(permissions),
    ],
    env: { ...Object.fromEntries(kept), ...env, HOME: scratch, TMPDIR: scratch },
    cwd: scratch,
  };
}

function readable({ permissions, folder, scratch }: SandboxOptions): string[] {
  const { files, serial } = permissions;
  const lines = serial === true ? ['/dev'] : serial === false ? [] : serial;
  return [
    ...program(),
    ...(folder === undefined ? [] : [realpathSync(folder)]),
    scratch,
    ...files.read,
    ...files.write,
    ...lines,
    ...(granted(serial) ? ['/etc/group'] : []),
    // node-gyp-build, by which add-ons find their own file, asks whether this is musl's system, and fails where it may not.
    ...(needsAddons(permissions) ? ['/etc/alpine-release'] : []),
  ];
}

function writable({ permissions, scratch }: SandboxOptions): string[] {
  return [scratch, ...permissions.files.write];
}

/** What this program itself is loaded from; not the folder of the bundle, where limpet.yaml or the data may lie. */
function program(): string[] {
  if (!import.meta.filename.endsWith('.ts')) return bundled(import.meta.dirname);
  const root = path.join(import.meta.dirname, '../../..');
  const parts = ['runtime', 'dmi', 'mappers', 'node_modules', 'package.json'];
  return parts.map((name) => path.join(root, name));
}

/** The modules of a bundle, by name. */
export function bundled(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => /\.(mjs|node)$|^package\.json$/.test(name));
  return names.toSorted().map((name) => path.join(folder, name));
}
