/** What was heard on a broker while looking for devices. Bounded in topics and bytes. */
import type { Json } from '@limpet/dmi';
import { isUtf8 } from 'node:buffer';
import type { Heard } from '../topics.ts';

const MAX_TOPICS = 10_000;
const MAX_BYTES = 33_554_432;

/** The last payload of each topic; of topics beyond the ceilings only their number. */
export class HeardTopics {
  readonly #topics = new Map<string, Buffer>();
  #bytes = 0;
  /** Messages on topics that were not kept. */
  leftOut = 0;

  hear({ topic, payload }: Heard): void {
    const known = this.#topics.get(topic);
    const bytes = this.#bytes - (known?.length ?? 0) + payload.length;
    if (bytes > MAX_BYTES || (known === undefined && this.#topics.size >= MAX_TOPICS)) {
      this.leftOut++;
      return;
    }
    this.#bytes = bytes;
    this.#topics.set(topic, Buffer.from(payload));
  }

  /** Topics and payloads, without those that say nothing. */
  get all(): readonly (readonly [topic: string, payload: Buffer])[] {
    return [...this.#topics].filter(([, payload]) => payload.length > 0);
  }

  bytes(topic: string): Buffer | undefined {
    return this.#topics.get(topic);
  }
}

/** `undefined` where it is no JSON. */
export function jsonOf(payload: Buffer | undefined): Json | undefined {
  if (payload === undefined || !isUtf8(payload)) return undefined;
  try {
    return JSON.parse(payload.toString()) as Json;
  } catch {
    return undefined;
  }
}

export type JsonObject = { readonly [key: string]: Json };

export function isObject(json: Json | undefined): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

export function objects(json: Json | undefined): readonly JsonObject[] {
  return Array.isArray(json) ? (json as readonly Json[]).filter(isObject) : [];
}

export function text(json: Json | undefined): string | undefined {
  return typeof json === 'string' && json !== '' ? json : undefined;
}

/** Codes of UCUM for what devices write. */
const UNITS: Readonly<Record<string, string>> = {
  '°C': 'Cel',
  C: 'Cel',
  '°F': '[degF]',
  F: '[degF]',
  '%': '%',
  lx: 'lx',
  W: 'W',
  kW: 'kW',
  V: 'V',
  mV: 'mV',
  A: 'A',
  mA: 'mA',
  Wh: 'W.h',
  kWh: 'kW.h',
  hPa: 'hPa',
  kPa: 'kPa',
  Hz: 'Hz',
  s: 's',
  'µg/m³': 'ug/m3',
  ppm: '[ppm]',
};

export function unitOf(json: Json | undefined): { readonly unit?: string } {
  const unit = typeof json === 'string' ? UNITS[json] : undefined;
  return unit === undefined ? {} : { unit };
}
