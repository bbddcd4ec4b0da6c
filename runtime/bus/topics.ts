/** The bus by name: which topics there are, what their payloads say, and who may publish where. Pure. */
import type { Json } from '@limpet/dmi';
import {
  type Desired,
  duration,
  type Id,
  type PropertyTwin,
  type Reason,
} from '@limpet/dmi/manifest';
import { iso } from '../kernel/iso.ts';

export const NODE_TOPIC = 'limpet/node';
/** Where orders arrive. */
export const COMMANDS = 'limpet/+/+/set/+';

export const twinTopic = (device: Id, property: string): string =>
  `limpet/${device}/twin/${property}`;
export const stateTopic = (device: Id): string => `limpet/${device}/state`;
export const resultTopic = (device: Id, property: string): string =>
  `limpet/${device}/set/${property}/result`;

export interface Target {
  readonly device: Id;
  readonly property: string;
}

/** The device and property that a command topic names; `undefined` for any other topic. */
export function commandTarget(topic: string): Target | undefined {
  const [root, namespace, name, set, property, ...rest] = topic.split('/');
  if (root !== 'limpet' || set !== 'set' || rest.length > 0) return undefined;
  if (!namespace || !name || !property) return undefined;
  return { device: `${namespace}/${name}`, property };
}

/** `command`: an order for the node; `own`: traffic among clients; `reserved`: the node's, or the broker's. */
export function topicKind(topic: string): 'command' | 'own' | 'reserved' {
  if (commandTarget(topic) !== undefined) return 'command';
  const [root = ''] = topic.split('/', 1);
  return root === 'limpet' || root.startsWith('$') ? 'reserved' : 'own';
}

/** Whether a filter covers a topic that does not begin with `$`: MQTT 3.1.1, 4.7.1. */
export function covers(filter: string, topic: string): boolean {
  const wanted = filter.split('/');
  const levels = topic.split('/');
  for (const [at, level] of wanted.entries()) {
    // Also the level above it: `sport/#` covers `sport`.
    if (level === '#') return true;
    if (at >= levels.length || (level !== '+' && level !== levels[at])) return false;
  }
  return wanted.length === levels.length;
}

export interface Command {
  readonly value: Json;
  readonly expiresMs?: number;
}

/**
 * What a command's payload asks for: a JSON value, or `{"value": …, "expires": "30s"}`. A string stands for
 * why it cannot be understood.
 */
export function readCommand(payload: string): Command | string {
  let said: unknown;
  try {
    said = JSON.parse(payload);
  } catch {
    const what =
      payload === '' ? 'an empty payload' : `${payload.length} characters that are not JSON`;
    return `expected a JSON value such as 55.5, true or "text" (text in quotes), got ${what}`;
  }
  if (!isEnvelope(said)) return { value: said as Json };
  if (said.expires === undefined) return { value: said.value };
  const expiresMs = typeof said.expires === 'string' ? duration(said.expires) : undefined;
  if (expiresMs === undefined || expiresMs <= 0) {
    return 'expires: expected a duration above zero such as "30s" or "5m"';
  }
  return { value: said.value, expiresMs };
}

function isEnvelope(said: unknown): said is { value: Json; expires?: Json } {
  return (
    typeof said === 'object' &&
    said !== null &&
    'value' in said &&
    Object.keys(said).every((key) => key === 'value' || key === 'expires')
  );
}

/** Payload of a twin topic. `value` is null until a first good reading. */
export function twinPayload(twin: PropertyTwin<number>, unit?: string): string {
  const { reported, desired } = twin;
  return JSON.stringify({
    value: reported?.value ?? null,
    at: isoOf(reported?.at),
    quality: reported?.quality ?? 'stale',
    unit,
    reason: reported?.reason,
    desired: desired && isWanted(desired) ? desiredPart(desired) : undefined,
  });
}

/** Payload of a state topic. */
export function statePayload(condition: {
  readonly state: string;
  readonly reason?: Reason;
  readonly lastSeen?: number;
}): string {
  const { state, reason, lastSeen } = condition;
  return JSON.stringify({ state, reason, lastSeen: isoOf(lastSeen) });
}

/** Payload of a result topic: how far the order in force got. */
export function resultPayload(desired: Desired<number>, at: number): string {
  const { value, rev, verdict, reason } = desired;
  return JSON.stringify({ value, rev, verdict, reason, stages: stages(desired), at: isoOf(at) });
}

/** Payload of a result topic when an order was not taken. */
export function refusalPayload(error: Reason, at: number): string {
  return JSON.stringify({ error, at: isoOf(at) });
}

function desiredPart(desired: Desired<number>): object {
  const { value, rev, verdict, reason, expires } = desired;
  return { value, rev, verdict, reason, expires: isoOf(expires), stages: stages(desired) };
}

function stages(desired: Desired<number>): object {
  const { accepted, stored, sent, confirmed } = desired.stages;
  return {
    accepted: isoOf(accepted),
    stored: isoOf(stored),
    sent: isoOf(sent),
    confirmed: isoOf(confirmed),
  };
}

const isWanted = (desired: Desired<number>): boolean => desired.value !== null;

function isoOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : iso(ms);
}
