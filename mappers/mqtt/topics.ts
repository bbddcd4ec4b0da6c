/** Who listens to which topics of one broker, and what was last said there. Bounded in topics and bytes. */
import { Refused } from '@limpet/dmi';
import type { Publish } from './messages.ts';

/** A message as listeners get it. */
export interface Heard {
  readonly topic: string;
  /** A view: who keeps it copies it. Empty where it was too large. */
  readonly payload: Buffer;
  /** The broker had kept it: nobody knows since when. */
  readonly retained: boolean;
  /** When it came, in ms since 1970. */
  readonly atMs: number;
  /** Size of a payload that was too large to be taken; else 0. */
  readonly tooLarge: number;
  readonly correlation?: Buffer;
}

export type Listener = (message: Heard) => void;

interface Topic {
  readonly listeners: Set<Listener>;
  /** Resolves when the broker has answered: with why it does not grant it. */
  granted: Promise<Refused | undefined>;
  kept: Kept | undefined;
}

/** The last message, its payload at the front of a buffer. */
interface Kept {
  bytes: Buffer;
  size: number;
  retained: boolean;
  atMs: number;
  tooLarge: number;
}

/** Topics of all devices with one broker. */
const MAX_TOPICS = 10_000;
const TOO_MANY = new Refused(
  'MQTT_TOPICS',
  `the devices of this broker listen to ${MAX_TOPICS} topics already, which is the most`,
);
/** Topics whose messages came before anybody listened. */
const MAX_AWAITED = 1_000;
/** Payloads that are kept for who asks later. Above it they are told, and not kept. */
const MAX_KEPT_BYTES = 1_048_576;

export class Topics {
  readonly #topics = new Map<string, Topic>();
  /** Those of them that end in `#`. */
  readonly #wide = new Set<string>();
  /** Told in a kept session, and nobody listens yet. */
  readonly #awaited = new Map<string, Topic>();
  #keptBytes = 0;

  /** Adds the listener. True where nobody listened before: then the broker is to be asked. */
  add(filter: string, listener: Listener): boolean {
    const known = this.#topics.get(filter);
    known?.listeners.add(listener);
    if (known !== undefined) return false;
    if (this.#topics.size >= MAX_TOPICS) return false;
    const topic = this.#awaited.get(filter) ?? newTopic();
    this.#awaited.delete(filter);
    topic.listeners.add(listener);
    this.#topics.set(filter, topic);
    if (filter.endsWith('#')) this.#wide.add(filter);
    return true;
  }

  /** Says when the broker will have answered for this one. */
  grant(filter: string, granted: Promise<Refused | undefined>): void {
    const topic = this.#topics.get(filter);
    if (topic !== undefined) topic.granted = granted;
  }

  granted(filter: string): Promise<Refused | undefined> {
    return this.#topics.get(filter)?.granted ?? Promise.resolve(TOO_MANY);
  }

  has(filter: string): boolean {
    return this.#topics.has(filter);
  }

  latest(filter: string): Heard | undefined {
    const kept = this.#topics.get(filter)?.kept;
    if (kept === undefined) return undefined;
    const { bytes, size, ...rest } = kept;
    return { topic: filter, payload: bytes.subarray(0, size), ...rest };
  }

  /** Takes the listener away. True where nobody is left: then the broker is to be told. */
  remove(filter: string, listener: Listener): boolean {
    const topic = this.#topics.get(filter);
    if (topic === undefined) return false;
    topic.listeners.delete(listener);
    if (topic.listeners.size > 0) return false;
    this.#keptBytes -= topic.kept?.size ?? 0;
    this.#topics.delete(filter);
    this.#wide.delete(filter);
    return true;
  }

  /** Whether anybody listens. */
  hear(message: Publish, atMs: number): boolean {
    const heard = heardOf(message, atMs);
    const exact = this.#topics.get(message.topic);
    if (exact !== undefined && isNews(message, exact.kept)) {
      this.#keep(exact, heard);
      for (const listener of exact.listeners) listener(heard);
    }
    const wide = [...this.#wide].filter((filter) => matches(filter, message.topic));
    for (const filter of wide) {
      for (const listener of this.#topics.get(filter)?.listeners ?? []) listener(heard);
    }
    return exact !== undefined || wide.length > 0;
  }

  /** Keeps what came before anybody listened: the last of each topic, of as many topics as there may be. */
  await(message: Publish, atMs: number): void {
    const known = this.#awaited.get(message.topic);
    if (known === undefined && this.#awaited.size >= MAX_AWAITED) return;
    const topic = known ?? newTopic();
    this.#awaited.set(message.topic, topic);
    this.#keep(topic, heardOf(message, atMs));
  }

  /** Nobody will listen any more. */
  forgetAwaited(): void {
    for (const { kept } of this.#awaited.values()) this.#keptBytes -= kept?.size ?? 0;
    this.#awaited.clear();
  }

  /** In place: what is made anew for each message outlives a young collection, and piles up. */
  #keep(topic: Topic, { payload, retained, atMs, tooLarge }: Heard): void {
    const size = payload.length;
    this.#keptBytes += size - (topic.kept?.size ?? 0);
    if (this.#keptBytes > MAX_KEPT_BYTES) {
      this.#keptBytes -= size;
      topic.kept = undefined;
      return;
    }
    // In a buffer of its own: the chunk it came in is large, and the pool would be held by it.
    topic.kept ??= { bytes: NOTHING, size: 0, retained, atMs, tooLarge };
    const { kept } = topic;
    const room = kept.bytes.length;
    if (size > room || size < room / 4) kept.bytes = Buffer.allocUnsafeSlow(roomFor(size));
    payload.copy(kept.bytes);
    kept.size = size;
    kept.retained = retained;
    kept.atMs = atMs;
    kept.tooLarge = tooLarge;
  }
}

function roomFor(size: number): number {
  return Math.ceil(size / 64) * 64;
}

const NOTHING = Buffer.alloc(0);

function newTopic(): Topic {
  return { listeners: new Set(), granted: Promise.resolve(undefined), kept: undefined };
}

function heardOf(message: Publish, atMs: number): Heard {
  const { topic, payload, skipped, retain, correlation } = message;
  return {
    topic,
    payload: skipped > 0 ? NOTHING : payload,
    retained: retain,
    atMs,
    tooLarge: skipped > 0 ? payload.length + skipped : 0,
    ...(correlation && { correlation }),
  };
}

/** What the broker kept is older than what was heard live; what it sends again may have been heard already. */
function isNews({ retain, dup, payload }: Publish, kept: Kept | undefined): boolean {
  if (kept === undefined) return true;
  if (retain && !kept.retained) return false;
  return !dup || !kept.bytes.subarray(0, kept.size).equals(payload);
}

/** MQTT 3.1.1, 4.7: `+` is one level, a `#` at the end all that follow, and the level above. */
function matches(filter: string, topic: string): boolean {
  const wanted = filter.split('/');
  const levels = topic.split('/');
  if (topic.startsWith('$') && !filter.startsWith('$')) return false;
  for (const [index, level] of wanted.entries()) {
    if (level === '#') return true;
    if (levels[index] === undefined || (level !== '+' && level !== levels[index])) return false;
  }
  return wanted.length === levels.length;
}
