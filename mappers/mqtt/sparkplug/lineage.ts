/** What is known of one Sparkplug device from its births, data and deaths (pure): Eclipse Sparkplug 3.0, 6.4 and 5. */
import { decodePayload, type Metric, type Payload, seqOf } from './payload.ts';
import type { Sparkplug } from '../settings.ts';

/** What a message comes to. */
type News =
  | { readonly kind: 'nothing' }
  /** These metrics, by name. */
  | { readonly kind: 'metrics'; readonly names: readonly string[] }
  | { readonly kind: 'dead'; readonly why: string };

/** A metric as it was last told, and the type that its birth declared. */
export interface Known {
  readonly metric: Metric;
  readonly datatype: number;
}

const NOTHING: News = { kind: 'nothing' };
/** Metrics of one device. */
const MAX_METRICS = 10_000;

export class Lineage {
  readonly #place: Sparkplug;
  readonly #known = new Map<string, Known>();
  readonly #aliases = new Map<string, string>();
  /** Of the last message of the node. */
  #seq: number | undefined;
  #bdSeq: number | undefined;
  #born = false;
  /** Why a new birth is to be asked for, until there is one. */
  missed: string | undefined = 'no birth was heard yet';
  /** Values of the past, sent later: they are not what is. */
  historical = 0;

  constructor(place: Sparkplug) {
    this.#place = place;
  }

  get born(): boolean {
    return this.#born;
  }

  get names(): readonly string[] {
    return [...this.#known.keys()];
  }

  known(name: string): Known | undefined {
    return this.#known.get(name);
  }

  /** A message on `spBv1.0/GROUP/kind/NODE[/device]`. @throws Garbled */
  hear(kind: string, device: string | undefined, bytes: Buffer): News {
    // 5.3: the last will of the node has no number.
    if (kind === 'NDEATH') return this.#nodeDeath(bytes);
    if (kind === 'NBIRTH') this.#nodeBirth(bytes);
    else if (!DATA.has(kind)) return NOTHING;
    else this.#count(bytes);
    if (device !== this.#place.device) return NOTHING;
    if (kind === 'DDEATH') return this.#dead(`the node says that ${device} is away (DDEATH)`);
    const payload = decodePayload(bytes);
    if (kind.endsWith('BIRTH')) this.#begin(payload);
    if (this.#born) return { kind: 'metrics', names: this.#take(payload) };
    this.missed = 'data came before a birth';
    return NOTHING;
  }

  #nodeBirth(bytes: Buffer): void {
    const { seq, metrics = [] } = decodePayload(bytes);
    this.#seq = seq;
    this.missed = undefined;
    const bdSeq = metrics.find(({ name }) => name === 'bdSeq');
    this.#bdSeq = bdSeq === undefined ? undefined : Number(bdSeq.long ?? bdSeq.int);
  }

  /** One that belongs to an earlier connection of the node comes late, and says nothing of this one. */
  #nodeDeath(bytes: Buffer): News {
    const bdSeq = decodePayload(bytes).metrics?.find(({ name }) => name === 'bdSeq');
    const number = bdSeq === undefined ? undefined : Number(bdSeq.long ?? bdSeq.int);
    if (this.#bdSeq !== undefined && number !== undefined && number !== this.#bdSeq) return NOTHING;
    return this.#dead(`the edge node ${this.#place.node} is away (NDEATH)`);
  }

  #dead(why: string): News {
    this.#born = false;
    this.#known.clear();
    this.#aliases.clear();
    return { kind: 'dead', why };
  }

  /** 6.4.19: numbers go from 0 to 255 and round, over all messages of a node. A copy of the last one is no gap. */
  #count(bytes: Buffer): void {
    const seq = seqOf(bytes);
    const last = this.#seq;
    if (seq === undefined || seq === last) return;
    this.#seq = seq;
    if (last !== undefined && seq !== (last + 1) % 256) {
      this.missed = `messages ${(last + 1) % 256} to ${(seq + 255) % 256} of the node were missed`;
    }
  }

  #take(payload: Payload): readonly string[] {
    const names: string[] = [];
    for (const metric of payload.metrics ?? []) {
      const name = metric.name ?? this.#aliases.get(String(metric.alias));
      const known = name === undefined ? undefined : this.#known.get(name);
      if (name === undefined || known === undefined) {
        this.missed = `a metric ${name ?? metric.alias} came that no birth has declared`;
      } else if (metric.historical === true) this.historical++;
      else {
        const { datatype = known.datatype } = metric;
        this.#known.set(name, { datatype, metric: dated(metric, payload) });
        names.push(name);
      }
    }
    return names;
  }

  #begin({ metrics = [] }: Payload): void {
    this.#born = true;
    this.#known.clear();
    this.#aliases.clear();
    for (const metric of metrics.slice(0, MAX_METRICS)) {
      const { name, alias, datatype = 0 } = metric;
      if (name === undefined) continue;
      this.#known.set(name, { metric, datatype });
      if (alias !== undefined) this.#aliases.set(String(alias), name);
    }
  }
}

const DATA = new Set(['NDATA', 'DBIRTH', 'DDATA', 'DDEATH']);

function dated(metric: Metric, { timestamp }: Payload): Metric {
  return metric.timestamp !== undefined || timestamp === undefined
    ? metric
    : { ...metric, timestamp };
}
