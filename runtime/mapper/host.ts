/**
 * Finds, checks and loads mappers by the name of their protocol: from a table (the bundle's), else the installed
 * package `@limpet/mapper-<protocol>`. Callers see only the `Mapper` interface, wherever it runs.
 */
import { type Log, type Mapper, Misconfigured } from '@limpet/dmi';
import { suggestion } from '@limpet/dmi/manifest';
import { installedMappers } from './installed.ts';
import { mapperFaults } from './shape.ts';

export interface MapperEntry {
  readonly version: string;
  /** What its package.json asks for; all run inline so far. */
  readonly hosting?: 'inline' | 'process';
  /** The mapper's module; its default export is the mapper. */
  readonly load: () => Promise<unknown>;
}

/** By protocol. */
export type MapperTable = Readonly<Record<string, MapperEntry>>;

export class MapperHost {
  readonly #table: MapperTable | undefined;
  readonly #log: Log;
  readonly #mappers = new Map<string, Promise<Mapper<unknown, unknown>>>();
  #found: Promise<MapperTable> | undefined;

  /** Without a table the installed packages count. */
  constructor(options: { readonly log: Log; readonly table?: MapperTable }) {
    this.#table = options.table;
    this.#log = options.log;
  }

  /**
   * The mapper of a protocol, loaded when first asked for.
   * @throws Misconfigured MAPPER_UNKNOWN; MAPPER_BROKEN with every fault at once
   */
  async mapper(protocol: string): Promise<Mapper<unknown, unknown>> {
    const table = await this.#entries();
    const entry = Object.hasOwn(table, protocol) ? table[protocol] : undefined;
    if (entry === undefined) throw unknown(protocol, Object.keys(table));
    // Kept by installed protocol, so that names in manifests cannot make it grow.
    let mapper = this.#mappers.get(protocol);
    if (mapper === undefined) {
      mapper = this.#load(protocol, entry);
      this.#mappers.set(protocol, mapper);
    }
    return mapper;
  }

  /** What this node can speak, loaded or not. */
  async installed(): Promise<readonly { readonly protocol: string; readonly version: string }[]> {
    const table = await this.#entries();
    return Object.entries(table).map(([protocol, { version }]) => ({ protocol, version }));
  }

  #entries(): Promise<MapperTable> {
    this.#found ??=
      this.#table === undefined
        ? installedMappers(import.meta.dirname, this.#log)
        : Promise.resolve(this.#table);
    return this.#found;
  }

  async #load(protocol: string, entry: MapperEntry): Promise<Mapper<unknown, unknown>> {
    let loaded: unknown;
    try {
      loaded = await entry.load();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw broken(protocol, [`it cannot be loaded: ${why}`], error);
    }
    const mapper = (loaded as { default?: unknown } | null | undefined)?.default;
    const faults = mapperFaults(mapper, protocol);
    if (faults.length > 0) throw broken(protocol, faults);
    if (entry.hosting === 'process') {
      this.#log.warn(
        'mapper asks for a process of its own, which is not offered yet: runs inline',
        {
          protocol,
        },
      );
    }
    this.#log.info('mapper loaded', { protocol, version: entry.version });
    return mapper as Mapper<unknown, unknown>;
  }
}

function unknown(protocol: string, known: readonly string[]): Misconfigured {
  const installed = known.length > 0 ? known.join(', ') : 'none';
  return new Misconfigured(
    'MAPPER_UNKNOWN',
    `no mapper for protocol "${protocol}" is installed on this node (installed: ${installed}).${suggestion(protocol, known)}`,
  );
}

function broken(protocol: string, faults: readonly string[], cause?: unknown): Misconfigured {
  const message = `the mapper for "${protocol}" cannot be used: ${faults.join('; ')}`;
  return new Misconfigured('MAPPER_BROKEN', message, { cause });
}
