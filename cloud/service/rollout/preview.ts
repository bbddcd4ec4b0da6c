/** What a rollout would do now, without doing it. */
import { setImmediate as turn } from 'node:timers/promises';
import type { DeviceModel, Reason, RolloutPreview } from '@limpet/dmi/manifest';
import type { CloudStore, Reading } from '../store/store.ts';
import type { Terms } from '../store/rollouts.ts';
import { CHOSEN_AT_ONCE, type Language } from './choose.ts';
import { MOST_DEVICES } from './kept.ts';
import { modelOf, refusalBy } from './orders.ts';

const SAMPLE = 10;
/** Of each trouble so many devices are named. */
const NAMED = 5;
/** Of more devices only so many are looked at; the others are counted. */
const EXAMINED = 10_000;
const COUNTED_AT_ONCE = 1_000;

/** Page by page: others are answered in between. */
export async function previewOf(
  store: Pick<CloudStore, 'read'>,
  language: Language,
  asked: {
    readonly query: string;
    readonly namespace: string;
    readonly now: number;
    readonly set: Terms['set'];
  },
): Promise<RolloutPreview> {
  const troubles = new Map<string, Trouble>();
  const look = new Look(asked.set);
  const sample: string[] = [];
  let devices = 0;
  let examined = 0;
  for (let after = ''; devices <= MOST_DEVICES;) {
    const limit = examined < EXAMINED ? CHOSEN_AT_ONCE : COUNTED_AT_ONCE;
    const page = { ...asked, after, limit };
    const ids = await store.read((reading) => language.devices(reading, page));
    await turn();
    sample.push(...ids.slice(0, SAMPLE - sample.length));
    devices += ids.length;
    const some = ids.slice(0, EXAMINED - examined);
    examined += some.length;
    for (const [id, reasons] of await store.read((reading) => look.atAll(reading, some))) {
      for (const reason of reasons) note(troubles, id, reason);
    }
    after = ids.at(-1) ?? after;
    if (ids.length < limit) break;
  }
  return { devices, examined, sample, troubles: [...troubles.values()] };
}

type Trouble = Reason & { count: number; devices: string[] };

function note(troubles: Map<string, Trouble>, id: string, reason: Reason): void {
  const trouble = troubles.get(reason.code) ?? { ...reason, count: 0, devices: [] };
  trouble.count += 1;
  if (trouble.devices.length < NAMED) trouble.devices.push(id);
  troubles.set(reason.code, trouble);
}

class Look {
  readonly #set: Terms['set'];
  readonly #models = new Map<string, DeviceModel | undefined>();
  readonly #nodes = new Map<string, boolean>();

  constructor(set: Terms['set']) {
    this.#set = set;
  }

  /** What would be in the way of each. */
  async atAll(reading: Reading, ids: readonly string[]) {
    const found: [string, readonly Reason[]][] = [];
    for (const id of ids) found.push([id, await this.#at(reading, id)]);
    return found;
  }

  async #at(reading: Reading, id: string): Promise<readonly Reason[]> {
    const doc = (await reading.objects.get('Device', id))?.doc;
    if (doc?.kind !== 'Device') return [];
    const model = await modelOf(reading, doc, this.#models);
    const refused = refusalBy(model, id, this.#set);
    const { node } = doc.spec;
    const away = (await this.#online(reading, node)) ? undefined : { ...AWAY };
    return [refused, away].filter((reason) => reason !== undefined);
  }

  async #online(reading: Reading, node: string): Promise<boolean> {
    const known = this.#nodes.get(node);
    if (known !== undefined) return known;
    const online = (await reading.nodes.get(node))?.state === 'online';
    this.#nodes.set(node, online);
    return online;
  }
}

const AWAY: Reason = {
  code: 'NODE_OFFLINE',
  message: 'the node is not connected: the order waits for it, and fails if it stays away',
};
