/** The door to history: nothing of it is loaded, and no file made, until a model asks for it. */
import { type BudgetRow, type Id, type PastCursor, type PastPage } from '@limpet/dmi/manifest';
import { type History, type Samples, type SamplesOptions } from './samples/samples.ts';
import { type Sample } from './samples/track.ts';

export type { History } from './samples/samples.ts';

/** A file that could not be opened is tried again after this long. */
const AGAIN_MS = 60_000;
const HOUR_MS = 3_600_000;

export class HistoryDoor {
  readonly name = 'samples';
  readonly #options: Omit<SamplesOptions, 'written'>;
  readonly #listeners = new Set<() => void>();
  #samples: Samples | undefined;
  #opening: Promise<void> | undefined;
  #unlisten: (() => void) | undefined;
  #cancel: (() => void) | undefined;
  #closed = false;

  constructor(options: Omit<SamplesOptions, 'written'>) {
    this.#options = options;
  }

  /** Resolves once history that is wanted already is being kept, or its file was found unusable. */
  async start(): Promise<void> {
    const { store } = this.#options;
    if (store.models().some((model) => this.#wanted(model))) return this.#open();
    this.#unlisten = store.onChange((change) => {
      if (change.kind === 'resource' && change.type === 'DeviceModel' && this.#wanted(change.id)) {
        void this.#open();
      }
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#unlisten?.();
    this.#cancel?.();
    await this.#opening;
    this.#samples?.close();
    this.#samples = undefined;
  }

  /** Undefined when none was ever kept here. */
  history(
    device: Id,
    property: string,
    page: { readonly since: number; readonly after?: number | undefined; readonly limit: number },
  ): History | undefined {
    return this.#samples?.history(device, property, page);
  }

  /** The last sample before a time, as far as it is found without a long search. */
  before(device: Id, property: string, time: number): Sample | undefined {
    return this.#samples?.before(device, property, time);
  }

  /** What was recorded after the cursor, as far as it is on the disk; undefined when that is nothing. */
  pageAfter(cursor: PastCursor | undefined, bytes: number): PastPage | undefined {
    return this.#samples?.pageAfter(cursor, bytes);
  }

  /** Calls back when there may be a page. */
  onWritten(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Bytes of memory given back. */
  shed(): number {
    return this.#samples?.shed() ?? 0;
  }

  /** What waits in memory, for the budget's table. */
  rows(): readonly BudgetRow[] {
    if (this.#samples === undefined) return [];
    const { waiting, waitingPeak, waitingMost, givenUp } = this.#samples.figures();
    const figures = { budget: waitingMost, now: waiting, peak: waitingPeak, over: givenUp };
    return [{ kind: 'memory', what: 'samples waiting', partOf: 'core', ...figures }];
  }

  /** How much past the ring holds, for people. */
  readonly note = (): string => {
    if (this.#samples === undefined) return 'no model asks for history';
    const { samples, bytes, heldMs, leftMs } = this.#samples.figures();
    if (samples === 0) return 'no samples yet';
    const left = leftMs === undefined ? '' : `, full in ${hours(leftMs)}`;
    return `${hours(heldMs)} held${left}; ${Math.round(bytes / samples)} bytes a sample`;
  };

  #wanted(model: Id): boolean {
    const properties = this.#options.store.model(model)?.spec.properties ?? [];
    return properties.some(({ history }) => history !== undefined);
  }

  #open(): Promise<void> {
    this.#unlisten?.();
    this.#opening ??= this.#load();
    return this.#opening;
  }

  async #load(): Promise<void> {
    const { Samples: Loaded } = await import('./samples/samples.ts');
    if (this.#closed) return;
    try {
      const written = (): void => {
        for (const listener of this.#listeners) listener();
      };
      this.#samples = new Loaded({ ...this.#options, written });
    } catch (error) {
      const { log, clock } = this.#options;
      log.error('history is not kept: its file cannot be opened', {
        code: 'SAMPLES_NOT_OPENED',
        error,
      });
      this.#cancel = clock.after(AGAIN_MS, () => {
        this.#opening = undefined;
        void this.#open();
      });
    }
  }
}

function hours(ms: number): string {
  const all = ms / HOUR_MS;
  return all < 48 ? `${all.toFixed(1)} h` : `${(all / 24).toFixed(1)} days`;
}
