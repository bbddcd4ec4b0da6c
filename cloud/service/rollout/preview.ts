/** What a rollout would do now, without doing it. */
import type { DeviceModel, Reason, RolloutPreview } from '@limpet/dmi/manifest';
import type { Reading } from '../store/store.ts';
import type { Terms } from '../store/rollouts.ts';
import { CHOSEN_AT_ONCE, type Language } from './choose.ts';
import { MOST_DEVICES } from './kept.ts';
import { modelOf, refusalBy } from './orders.ts';

const SAMPLE = 10;
/** Of each trouble so many devices are named. */
const NAMED = 5;
/** Of more devices only so many are looked at; the others are counted. */
const EXAMINED = 10_000;

export async function previewOf(
  reading: Reading,
  language: Language,
  asked: {
    readonly query: string;
    readonly namespace: string;
    readonly now: number;
    readonly set: Terms['set'];
  },
): Promise<RolloutPreview> {
  const troubles = new Map<string, Trouble>();
  const look = new Look(reading, asked.set);
  const sample: string[] = [];
  let devices = 0;
  let examined = 0;
  for (let after = ''; devices <= MOST_DEVICES;) {
    const ids = await language.devices(reading, { ...asked, after, limit: CHOSEN_AT_ONCE });
    sample.push(...ids.slice(0, SAMPLE - sample.length));
    devices += ids.length;
    for (const id of ids) {
      if (examined === EXAMINED) break;
      examined += 1;
      for (const reason of await look.at(id)) note(troubles, id, reason);
    }
    after = ids.at(-1) ?? after;
    if (ids.length < CHOSEN_AT_ONCE) break;
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
  readonly #reading: Reading;
  readonly #set: Terms['set'];
  readonly #models = new Map<string, DeviceModel | undefined>();
  readonly #nodes = new Map<string, boolean>();

  constructor(reading: Reading, set: Terms['set']) {
    this.#reading = reading;
    this.#set = set;
  }

  /** What would be in the way. */
  async at(id: string): Promise<readonly Reason[]> {
    const doc = (await this.#reading.objects.get('Device', id))?.doc;
    if (doc?.kind !== 'Device') return [];
    const model = await modelOf(this.#reading, doc, this.#models);
    const refused = refusalBy(model, id, this.#set);
    const { node } = doc.spec;
    const away = (await this.#online(node)) ? undefined : { ...AWAY };
    return [refused, away].filter((reason) => reason !== undefined);
  }

  async #online(node: string): Promise<boolean> {
    const known = this.#nodes.get(node);
    if (known !== undefined) return known;
    const online = (await this.#reading.nodes.get(node))?.state === 'online';
    this.#nodes.set(node, online);
    return online;
  }
}

const AWAY: Reason = {
  code: 'NODE_OFFLINE',
  message: 'the node is not connected: the order waits for it, and fails if it stays away',
};
