/**
 * Whether devices go on being read, by the edge's own account: the samples it keeps of `beat`, a property that counts
 * how often it was read. When and how this process asks for them is of no consequence.
 */
import type { ApiClient, SampleList } from '#protocol/api';
import { until } from './until.ts';

/** What became of one device since the mark. */
export interface Beats {
  readonly device: string;
  /** Between two samples, oldest first: wall clock of the edge. */
  readonly steps: readonly { readonly from: number; readonly to: number }[];
  /** Reads that the device answered and that are no sample. */
  readonly lost: number;
  /** Qualities other than good, and causes of gaps. */
  readonly faults: readonly string[];
}

type Past = Pick<SampleList, 'samples' | 'gaps'>;

/** So long before the mark the last sample before it is looked for. */
const BEFORE_MS = 5_000;

export class Pulse {
  readonly #api: ApiClient;
  readonly #devices: readonly string[];
  #since = Date.now();

  /** `devices`: names in the default namespace, each with the property `beat`, of which history is kept. */
  constructor(api: ApiClient, devices: readonly string[]) {
    this.#api = api;
    this.#devices = devices;
  }

  /** Counts afresh; a gap that is open goes on. */
  mark(): void {
    this.#since = Date.now();
  }

  /** From the last sample before the mark to the first after now. @throws Error when a device is not read any more */
  async beats(): Promise<readonly Beats[]> {
    const [since, now] = [this.#since, Date.now()];
    return Promise.all(this.#devices.map(async (name) => this.#beatsOf(name, since, now)));
  }

  async #beatsOf(name: string, since: number, now: number): Promise<Beats> {
    let past: Past = { samples: [], gaps: [] };
    const ask = async (): Promise<string | undefined> => {
      const ago = `${Date.now() - since + BEFORE_MS}ms`;
      past = await this.#api.samples({ kind: 'Device', namespace: 'default', name }, 'beat', {
        since: ago,
      });
      const last = past.samples.at(-1)?.at ?? 'never';
      return Date.parse(last) >= now ? undefined : `${name} was read last at ${last}`;
    };
    await until(ask, 10_000, 100);
    return judged(name, past, since);
  }
}

function judged(device: string, { samples, gaps }: Past, since: number): Beats {
  const times = samples.map(({ at }) => Date.parse(at));
  const first = Math.max(
    0,
    times.findLastIndex((at) => at <= since),
  );
  const [watched, counts] = [times.slice(first), samples.slice(first)];
  const steps = watched.slice(1).map((to, index) => ({ from: watched[index] ?? to, to }));
  const values = counts.map(({ value }) => Number(value));
  const given = (values.at(-1) ?? 0) - (values[0] ?? 0);
  const bad = counts.map(({ quality }) => quality).filter((quality) => quality !== 'good');
  const open = gaps.filter(({ to }) => to === undefined || Date.parse(to) > since);
  return {
    device,
    steps,
    lost: given - steps.length,
    faults: [...new Set([...bad, ...open.map(({ cause }) => cause)])],
  };
}
