/**
 * How an author's modules are loaded: `@limpet/dmi` is always ours, so that there is one class of each error; valibot is
 * ours where the package brings none, so that a fresh folder works without npm; and what belongs to the folder is read
 * anew in each generation.
 */
import { registerHooks } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** What an author may import without having it installed. */
const CARRIED = new Set(['valibot']);

/** The modules of one folder, as they are imported now. */
export class Modules {
  readonly #root: string;
  #generation = 0;
  /** What each module of the folder imports of the folder, by file. */
  #imports = new Map<string, Set<string>>();

  /** From now on, in this process. */
  constructor(folder: string) {
    this.#root = `${pathToFileURL(folder).href}/`;
    registerHooks({
      resolve: (specifier, context, next) => {
        const asOurs = { ...context, parentURL: import.meta.url };
        if (isDmi(specifier)) return next(specifier, asOurs);
        const plain = (): ReturnType<typeof next> => next(specifier, context);
        const found = CARRIED.has(specifier)
          ? orElse(plain, () => next(specifier, asOurs))
          : plain();
        if (!this.#owns(found.url)) return found;
        this.#note(context.parentURL, found.url);
        return { ...found, url: `${found.url.split('?')[0]}?limpet=${this.#generation}` };
      },
    });
  }

  /** Of this generation, by file. */
  get files(): readonly string[] {
    const all = [...this.#imports].flatMap(([file, imports]) => [file, ...imports]);
    return [...new Set(all)];
  }

  /** This file and all that it imports of the folder. */
  closure(file: string): ReadonlySet<string> {
    const found = new Set([file]);
    for (const each of found) for (const next of this.#imports.get(each) ?? []) found.add(next);
    return found;
  }

  /** The next import reads every file of the folder again. */
  renew(): void {
    this.#generation += 1;
    this.#imports = new Map();
  }

  async load(file: string): Promise<Readonly<Record<string, unknown>>> {
    this.#imports.set(file, this.#imports.get(file) ?? new Set());
    return (await import(`${pathToFileURL(file).href}?limpet=${this.#generation}`)) as Readonly<
      Record<string, unknown>
    >;
  }

  #owns(url: string): boolean {
    return url.startsWith(this.#root) && !url.slice(this.#root.length).includes('node_modules/');
  }

  #note(parent: string | undefined, url: string): void {
    if (parent === undefined || !this.#owns(parent)) return;
    const file = fileOf(parent);
    this.#imports.set(file, (this.#imports.get(file) ?? new Set()).add(fileOf(url)));
  }
}

function isDmi(specifier: string): boolean {
  return specifier === '@limpet/dmi' || specifier.startsWith('@limpet/dmi/');
}

/** `second` where the package brings none. */
function orElse<T>(first: () => T, second: () => T): T {
  try {
    return first();
  } catch {
    // If ours is not to be had either, that is what is told.
    return second();
  }
}

function fileOf(url: string): string {
  return path.resolve(fileURLToPath(url.split('?')[0] ?? url));
}
