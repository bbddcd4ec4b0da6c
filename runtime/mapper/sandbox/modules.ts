/**
 * Which of Node's modules a mapper's own files may import, and where `@limpet/dmi` comes from when the package brings
 * none. Libraries in node_modules may name more: what they do with it is refused when they do it.
 */
import Module, { registerHooks, syncBuiltinESMExports } from 'node:module';
import { type Permissions } from './permissions.ts';
import { Denied } from './sockets.ts';

/** Opened by `network`. */
const NETWORK = new Set(['net', 'tls', 'http', 'https', 'http2', 'dns', 'dns/promises']);
/** Opened by `"network": true` only: a datagram goes anywhere. */
const DATAGRAMS = new Set(['dgram']);
/** Never opened. Node's permission model does not hold SQLite to declared files; the rest it refuses at use. */
const CLOSED = new Set([
  'child_process',
  'worker_threads',
  'cluster',
  'inspector',
  'inspector/promises',
  'sqlite',
  'wasi',
  'repl',
]);
/** Closed to libraries as well: nothing else holds them back. */
const CLOSED_TO_ALL = new Set(['sqlite', 'dgram']);

/** Why the module of Node may not be used; `undefined` when it may. `name` may begin with `node:`. */
export function refusal(
  name: string,
  { network }: Pick<Permissions, 'network'>,
  library: boolean,
): string | undefined {
  const module = name.replace(/^node:/, '');
  if (library && !CLOSED_TO_ALL.has(module)) return undefined;
  if (CLOSED.has(module)) return `a mapper may not use node:${module}`;
  const none = network === false || (network !== true && network.length === 0);
  if (NETWORK.has(module) && none) {
    return `the mapper may not use node:${module}: dial with context.dial, or declare "network" in its permissions`;
  }
  if (DATAGRAMS.has(module) && network !== true) {
    return `the mapper may not use node:${module}: only "network": true in its permissions allows that`;
  }
  return undefined;
}

/**
 * Whether a module is part of this program. The folder of a bundle holds its modules and no folders of them: what lies
 * deeper there, such as a folder of mappers beside it, is somebody else's.
 */
export function isOurs(url: string, folders: readonly string[], deep: boolean): boolean {
  return folders.some(
    (folder) => url.startsWith(folder) && (deep || !url.slice(folder.length).includes('/')),
  );
}

export interface ModuleOptions {
  readonly permissions: Permissions;
  /** Whether a module is part of this program, which may import what it likes. */
  readonly ours: (url: string) => boolean;
  /** URLs of this program's `@limpet/dmi` and of the doors beside it, by the names that mappers import. */
  readonly dmi: Readonly<Record<string, string>>;
}

/** From now on, for whatever is imported or required. */
export function guardModules({ permissions, ours, dmi }: ModuleOptions): void {
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const { parentURL } = context;
      if (parentURL !== undefined && ours(parentURL)) return nextResolve(specifier, context);
      const library = parentURL?.includes('/node_modules/') === true;
      const why = refusal(specifier, permissions, library);
      if (why !== undefined) throw new Denied(why);
      if (!Object.hasOwn(dmi, specifier)) return nextResolve(specifier, context);
      try {
        return nextResolve(specifier, context);
      } catch {
        // The package brings none: ours, so that its errors are of our classes as well.
        return { url: dmi[specifier] as string, shortCircuit: true };
      }
    },
  });
  // Hooks of a mapper's own would run before these.
  (Module as { registerHooks: unknown }).registerHooks = () => {
    throw new Denied('a mapper may not register hooks for modules');
  };
  syncBuiltinESMExports();
  const builtin = process.getBuiltinModule.bind(process);
  process.getBuiltinModule = ((name: string) => {
    const why = refusal(name, permissions, false);
    if (why !== undefined) throw new Denied(why);
    return builtin(name);
  }) as typeof process.getBuiltinModule;
}
