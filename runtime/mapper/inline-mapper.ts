/** A mapper in the core's own process: loaded when first needed, and then there for good. */
import { type Clock, type Log, type Mapper, Misconfigured } from '@limpet/dmi';
import { type MapperState, type Reason } from '@limpet/dmi/manifest';
import { type CatalogEntry } from './catalog.ts';
import { disobedience, Obedience } from './obedience.ts';
import { mapperFaults } from './shape.ts';
import { type MapperStatus } from './status.ts';
import { watchedMapper } from './watched-mapper.ts';

export class InlineMapper {
  readonly #protocol: string;
  readonly #clock: Clock;
  readonly #log: Log;
  #entry: CatalogEntry;
  #loaded: Promise<Mapper<unknown, unknown>> | undefined;
  #state: MapperState = 'idle';
  #reason: Reason | undefined;
  readonly #obedience: Obedience;
  #sinceMs: number;

  constructor(entry: CatalogEntry, around: { readonly clock: Clock; readonly log: Log }) {
    this.#protocol = entry.manifest.protocol;
    this.#entry = entry;
    this.#clock = around.clock;
    this.#log = around.log.with({ protocol: this.#protocol });
    this.#sinceMs = around.clock.now();
    this.#obedience = new Obedience(around.clock, () => this.#disobeyed());
  }

  /** @throws Misconfigured MAPPER_BROKEN with every fault at once */
  ready(): Promise<Mapper<unknown, unknown>> {
    this.#loaded ??= this.#load();
    return this.#loaded;
  }

  status(): MapperStatus {
    const { version, manifest } = this.#entry;
    const reason = this.#reason ?? disobedience(this.#obedience.tardy);
    return {
      protocol: this.#protocol,
      version,
      hosting: 'inline',
      state: this.#state,
      ...(reason && { reason }),
      restarts: 0,
      sinceMs: this.#sinceMs,
      importance: manifest.importance,
      superseded: 0,
    };
  }

  /** Node cannot unload a module: what is loaded stays until the edge is started again. */
  change(entry: CatalogEntry): void {
    if (this.#loaded === undefined) {
      this.#entry = entry;
      return;
    }
    const message = `version ${entry.version} waits: a mapper that runs inline is replaced when the edge is started again`;
    this.#reason = { code: 'MAPPER_CHANGED', message };
    this.#log.warn('mapper changed', { reason: this.#reason });
  }

  async #load(): Promise<Mapper<unknown, unknown>> {
    this.#enter('starting');
    try {
      const loaded = await loadMapper(this.#protocol, this.#entry.load);
      const mapper = watchedMapper(loaded, this.#obedience);
      this.#enter('ready');
      this.#log.info('mapper loaded', { version: this.#entry.version });
      return mapper;
    } catch (error) {
      const { code, message } = error as Misconfigured;
      this.#enter('broken', { code, message });
      this.#log.error('mapper broken', { code, reason: message });
      throw error;
    }
  }

  /** Told once: its status counts on. */
  #disobeyed(): void {
    const { tardy } = this.#obedience;
    if (tardy.count > 1) return;
    this.#log.warn('mapper misbehaves', { reason: disobedience(tardy) });
  }

  #enter(state: MapperState, reason?: Reason): void {
    this.#state = state;
    this.#reason = reason;
    this.#sinceMs = this.#clock.now();
  }
}

async function loadMapper(
  protocol: string,
  load: () => Promise<unknown>,
): Promise<Mapper<unknown, unknown>> {
  let loaded: unknown;
  try {
    loaded = await load();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw brokenMapper(protocol, [`it cannot be loaded: ${why}`], error);
  }
  const mapper = (loaded as { default?: unknown } | null | undefined)?.default;
  const faults = mapperFaults(mapper, protocol);
  if (faults.length > 0) throw brokenMapper(protocol, faults);
  return mapper as Mapper<unknown, unknown>;
}

export function brokenMapper(
  protocol: string,
  faults: readonly string[],
  cause?: unknown,
): Misconfigured {
  const message = `the mapper for "${protocol}" cannot be used: ${faults.join('; ')}`;
  return new Misconfigured('MAPPER_BROKEN', message, { cause });
}
