/** What a message says of one property (pure). */
import { DmiError, type Json, type Reading, Refused } from '@limpet/dmi';
import { pick } from './json-path.ts';
import type { Point } from './points.ts';
import type { Heard } from './topics.ts';
import { decodeJson, decodePayload } from './values.ts';

export interface Said {
  readonly heard: Heard;
  /** Its payload as JSON, parsed once for all properties in it. @throws Refused */
  readonly json: () => Json;
}

const SECONDS_UNTIL = 1e11;

/** The reading; `undefined` where the message says nothing of this property. */
export function readingOf(
  point: Point,
  { heard, json }: Said,
  online: boolean,
): Reading | undefined {
  const source = point.sources.find(({ topic }) => topic === heard.topic);
  if (source === undefined) return undefined;
  try {
    if (heard.tooLarge > 0) {
      const message = `the payload on ${heard.topic} has ${heard.tooLarge} bytes or more: raise maxPayload in the settings`;
      throw new Refused('MQTT_TOO_LARGE', message);
    }
    let raw: Json | undefined;
    if (source.path !== undefined) {
      raw = pick(json(), source.path);
      // Many devices send only what changed, so what a payload leaves out stays as it is.
      if (raw === undefined || raw === null) return undefined;
    }
    const value =
      raw === undefined
        ? decodePayload(heard.payload, point.layout)
        : decodeJson(raw, point.layout);
    return { ok: true, value, ...timeOf(point, json), ...doubtOf(point, heard, online) };
  } catch (error) {
    if (!(error instanceof DmiError)) throw error;
    return { ok: false, error };
  }
}

function timeOf({ time }: Point, json: () => Json): { readonly at?: number } {
  if (time === undefined) return {};
  const raw = pick(json(), time);
  // Seconds or milliseconds since 1970, or ISO 8601.
  const at =
    typeof raw === 'number'
      ? raw * (raw < SECONDS_UNTIL ? 1000 : 1)
      : Date.parse(typeof raw === 'string' ? raw : '');
  return Number.isFinite(at) ? { at } : {};
}

function doubtOf(
  { retained }: Point,
  heard: Heard,
  online: boolean,
): { readonly doubt?: DmiError } {
  if (!heard.retained || retained === 'use' || online) return {};
  const message =
    'the broker had kept it, and nobody knows since when; set retained to use if the device always publishes what is';
  return { doubt: new Refused('MQTT_RETAINED', message) };
}
