/**
 * The mappers of this node, by the name of their protocol, wherever they run. Callers see only the `Mapper` interface;
 * what one mapper does reaches no other's devices.
 */
import { type Clock, type Log, type Mapper, Misconfigured, Unreachable } from '@limpet/dmi';
import { type Reason, suggestion } from '@limpet/dmi/manifest';
import { mkdir } from 'node:fs/promises';
import {
  type Catalog,
  type CatalogEntry,
  type MapperTable,
  type MapperTerms,
  readCatalog,
} from './catalog.ts';
import { type MemoryGuard } from './hosted.ts';
import { brokenMapper, InlineMapper } from './inline-mapper.ts';
import { FilesWatch, readFiles } from './package-files.ts';
import { ProcessMapper } from './process-mapper.ts';
import { type MapperStatus } from './status.ts';

export type { MapperTable } from './catalog.ts';

export interface MapperHostOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** The node's data folder: mappers in processes have their scratch folders there. */
  readonly data: string;
  /** Mappers that a bundle carries; without it the installed packages count. */
  readonly table?: MapperTable | undefined;
  /** `mapperFolder` and `mappers` of limpet.yaml. */
  readonly terms?: MapperTerms | undefined;
  readonly guard?: MemoryGuard | undefined;
  /** Uniform in [0, 1). */
  readonly random?: (() => number) | undefined;
  /** How often scratch folders are measured. Default 10 s. */
  readonly scratchEveryMs?: number | undefined;
}

/** One mapper, and the files that it was made from. */
interface Unit {
  readonly entry: CatalogEntry;
  /** Tells other files and other terms from the same. */
  readonly print: string;
  readonly mapper: InlineMapper | ProcessMapper;
}

interface Fresh {
  readonly entry: CatalogEntry;
  readonly print: string;
}

export class MapperHost {
  readonly #options: MapperHostOptions;
  readonly #units = new Map<string, Unit>();
  readonly #listeners = new Set<(protocol: string) => void>();
  readonly #watch: FilesWatch;
  readonly #leaving = new Set<Promise<void>>();
  #catalog: Catalog = { entries: new Map(), broken: [], absent: [] };
  #told = new Set<string>();
  #stopped = false;
  /** One reading at a time; another that is wanted meanwhile follows it. */
  #reading: Promise<void> | undefined;
  #again = false;
  readonly #sinceMs: number;

  private constructor(options: MapperHostOptions) {
    const { clock, log } = options;
    this.#options = options;
    this.#sinceMs = clock.now();
    this.#watch = new FilesWatch({ clock, log, changed: () => void this.refresh() });
  }

  /** Knows what is installed; nothing is loaded or started yet. */
  static async open(options: MapperHostOptions): Promise<MapperHost> {
    const host = new MapperHost(options);
    await host.#makeFolder();
    await host.refresh();
    return host;
  }

  /**
   * The mapper of a protocol, loaded or started when first asked for.
   * @throws Misconfigured MAPPER_UNKNOWN, MAPPER_BROKEN with every fault; Unreachable MAPPER_DOWN, MAPPER_SHED, MAPPER_STOPPED
   */
  async mapper(protocol: string): Promise<Mapper<unknown, unknown>> {
    // Kept by installed protocol, so that names in manifests cannot make it grow.
    if (this.#stopped) throw new Unreachable('MAPPER_DOWN', 'this node is stopping');
    const unit = this.#units.get(protocol);
    if (unit !== undefined) return unit.mapper.ready();
    const broken = this.#catalog.broken.find(({ name }) => name === protocol);
    if (broken !== undefined) throw brokenMapper(protocol, [broken.fault]);
    throw unknown(protocol, [...this.#units.keys()]);
  }

  /** All that is installed, and what cannot be used, by name. */
  status(): readonly MapperStatus[] {
    const refused = this.#catalog.broken.filter(({ name }) => !this.#units.has(name));
    const broken = refused.map(({ name, version, fault }): MapperStatus => {
      const reason = { code: 'MAPPER_BROKEN', message: fault };
      const none = { restarts: 0, importance: 0, superseded: 0, sinceMs: this.#sinceMs };
      return { protocol: name, version, hosting: 'process', state: 'broken', reason, ...none };
    });
    const units = [...this.#units.values()].map(({ mapper }) => mapper.status());
    return [...units, ...broken].toSorted((a, b) => (a.protocol < b.protocol ? -1 : 1));
  }

  /** What mappers may write, by protocol; nothing is set aside for those that nobody has needed. */
  scratches(): readonly { readonly protocol: string; readonly bytes: number }[] {
    const wanted = [...this.#units.values()].filter(({ mapper }) => !mapper.status().standby);
    const manifests = wanted.map(({ entry }) => entry.manifest);
    const apart = manifests.filter(({ hosting }) => hosting === 'process');
    return apart.map(({ protocol, diskBytes }) => ({ protocol, bytes: diskBytes }));
  }

  /** Told when another process than before is the mapper of a protocol, or it became usable: devices shall plan again. */
  onReplaced(listener: (protocol: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Stops a mapper's process to give its memory to others. Whether there was one to stop. */
  shed(protocol: string, reason: Reason): boolean {
    const mapper = this.#units.get(protocol)?.mapper;
    if (!(mapper instanceof ProcessMapper)) return false;
    mapper.shed(reason);
    return true;
  }

  resume(protocol: string): void {
    const mapper = this.#units.get(protocol)?.mapper;
    if (mapper instanceof ProcessMapper) mapper.resume();
  }

  /** Looks again at what is installed: what changed is replaced, what is gone is stopped. */
  refresh(): Promise<void> {
    this.#again = true;
    this.#reading ??= this.#read();
    return this.#reading;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#watch.stop();
    for (const unit of this.#units.values()) this.#end(unit);
    this.#units.clear();
    await Promise.all(this.#leaving);
  }

  /** A folder that is not there cannot be watched, and what is installed into it later would be seen by nobody. */
  async #makeFolder(): Promise<void> {
    const folder = this.#options.terms?.mapperFolder;
    if (folder === undefined) return;
    try {
      const made = await mkdir(folder, { recursive: true });
      if (made !== undefined) this.#options.log.info('folder for mappers made', { folder });
    } catch (error) {
      // Reading it fails too, and is told as a broken mapper.
      this.#options.log.debug('folder for mappers cannot be made', { folder, error });
    }
  }

  async #read(): Promise<void> {
    try {
      while (this.#again && !this.#stopped) {
        this.#again = false;
        await this.#readOnce();
      }
    } finally {
      this.#reading = undefined;
    }
  }

  async #readOnce(): Promise<void> {
    const { terms = {}, table } = this.#options;
    const catalog = await readCatalog(terms, table);
    const folders = terms.mapperFolder === undefined ? [] : [terms.mapperFolder];
    const fresh = new Map<string, Fresh>();
    for (const [protocol, entry] of catalog.entries) {
      const files = entry.foreign ? await readFiles(entry.folder ?? '') : undefined;
      folders.push(...(files?.folders ?? []));
      const { version, manifest, module } = entry;
      const print = JSON.stringify([files?.print, version, manifest, module]);
      fresh.set(protocol, { entry, print });
    }
    if (this.#stopped) return;
    const watched = [...named(terms), ...catalog.broken.flatMap(({ folder }) => folder ?? [])];
    // What changed between the reading and the watch is seen by another look.
    if (this.#watch.follow([...folders, ...watched])) this.#again = true;
    this.#catalog = catalog;
    this.#tellBroken();
    this.#apply(fresh);
  }

  #apply(fresh: ReadonlyMap<string, Fresh>): void {
    for (const [protocol, unit] of this.#units) {
      if (!fresh.has(protocol) && !this.#kept(protocol, unit)) this.#remove(protocol, unit);
    }
    for (const [protocol, { entry, print }] of fresh) {
      const unit = this.#units.get(protocol);
      if (unit?.print === print) continue;
      if (unit?.entry.manifest.hosting === entry.manifest.hosting) {
        this.#units.set(protocol, { entry, print, mapper: unit.mapper });
        unit.mapper.change(entry);
        continue;
      }
      if (unit !== undefined) this.#end(unit);
      this.#units.set(protocol, { entry, print, mapper: this.#make(entry) });
      this.#replaced(protocol);
    }
  }

  /** A package that is wrong now is no reason to stop what ran before it was. */
  #kept(protocol: string, { entry, mapper }: Unit): boolean {
    const broken = this.#catalog.broken.find(({ name }) => name === protocol);
    if (broken === undefined || !(mapper instanceof ProcessMapper)) return false;
    mapper.refuse({ code: 'MAPPER_BROKEN', message: broken.fault });
    // Whatever it becomes next is other than this, also if it is what it was before.
    this.#units.set(protocol, { entry, mapper, print: 'wrong' });
    return true;
  }

  #remove(protocol: string, unit: Unit): void {
    this.#options.log.warn('mapper removed', { protocol });
    this.#units.delete(protocol);
    this.#end(unit);
    this.#replaced(protocol);
  }

  #make(entry: CatalogEntry): InlineMapper | ProcessMapper {
    const { clock, log, random = Math.random } = this.#options;
    if (entry.manifest.hosting === 'inline') return new InlineMapper(entry, { clock, log });
    const replaced = (protocol: string): void => this.#replaced(protocol);
    return new ProcessMapper(entry, { ...this.#options, random, replaced });
  }

  #end({ mapper }: Unit): void {
    if (!(mapper instanceof ProcessMapper)) return;
    const gone = mapper.stop();
    this.#leaving.add(gone);
    void gone.then(() => this.#leaving.delete(gone));
  }

  #replaced(protocol: string): void {
    for (const listener of this.#listeners) listener(protocol);
  }

  /** Each fault once, until it is another. */
  #tellBroken(): void {
    const faults = this.#catalog.broken.map(({ name, fault }) => ({ name, fault }));
    for (const { name, fault } of faults) {
      if (!this.#told.has(`${name} ${fault}`)) {
        this.#options.log.error('mapper refused', { protocol: name, fault });
      }
    }
    for (const { protocol, hint } of this.#catalog.absent) {
      if (this.#told.has(protocol)) continue;
      const fields = { protocol, ...(hint !== undefined && { hint }) };
      this.#options.log.warn('limpet.yaml has terms for a mapper that is not there', fields);
    }
    this.#told = new Set([
      ...faults.map(({ name, fault }) => `${name} ${fault}`),
      ...this.#catalog.absent.map(({ protocol }) => protocol),
    ]);
  }
}

function named({ mappers = {} }: MapperTerms): string[] {
  return Object.values(mappers).flatMap(({ folder }) => (folder === undefined ? [] : [folder]));
}

function unknown(protocol: string, known: readonly string[]): Misconfigured {
  const installed = known.length > 0 ? known.join(', ') : 'none';
  return new Misconfigured(
    'MAPPER_UNKNOWN',
    `no mapper for protocol "${protocol}" is installed on this node (installed: ${installed}).${suggestion(protocol, known)}`,
  );
}
