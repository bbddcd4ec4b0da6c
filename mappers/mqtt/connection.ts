/** One open device that tells its values on topics: plain, Zigbee2MQTT or Tasmota. */
import {
  type Connection,
  type DmiError,
  type MapperContext,
  type Reading,
  Refused,
  type Sink,
  Unreachable,
  type Value,
  type Wish,
} from '@limpet/dmi';
import type { Share } from './broker.ts';
import { Confirmation } from './confirmation.ts';
import { Expiry } from './expiry.ts';
import { toldNow } from './news.ts';
import { type Point, pointOf } from './points.ts';
import { readingOf, type Said } from './said.ts';
import type { Settings } from './settings.ts';
import type { Fill } from './template.ts';
import type { Heard } from './topics.ts';
import { parseJson } from './values.ts';
import type { Visitor } from './visitor.ts';
import { type Watched, WatchList } from './watch-list.ts';

export interface Opened {
  readonly share: Share;
  readonly settings: Settings;
  readonly context: MapperContext;
  readonly fill: Fill;
}

interface Subscription {
  readonly sink: Sink;
}

/** How often a first value that is waited for is looked for. */
const LOOK_MS = 20;

export class TopicConnection implements Connection<Visitor> {
  readonly #opened: Opened;
  readonly #list: WatchList;
  readonly #confirmations = new Set<Confirmation>();
  readonly #expiry: Expiry;
  #subscription: Subscription | undefined;
  #over: DmiError | undefined;
  /** Whether the device's own last will says that it is there; then what the broker kept of it stands. */
  online = false;

  constructor(opened: Opened) {
    const { share, settings, fill, context } = opened;
    this.#opened = opened;
    this.#list = new WatchList({
      share,
      hear: (heard) => this.#hear(heard),
      pointOf: (visitor) => pointOf(visitor, settings, fill),
    });
    this.#expiry = new Expiry(context.clock, () => this.#expired());
  }

  async read(visitors: readonly Visitor[], signal: AbortSignal): Promise<readonly Reading[]> {
    this.#throwIfOver();
    const asked = await this.#list.watch(visitors, signal);
    // Whatever the broker had for us has come before its answer; and a broker that is gone has none.
    await this.#opened.share.ping(signal);
    const fresh = asked.flatMap((each) => (each.fresh ? [each.watched] : []));
    if (fresh.length > 0) await this.#firstWords(fresh, signal);
    this.#throwIfOver();
    return asked.map(({ watched }) => this.#reading(watched));
  }

  async write(visitor: Visitor, value: Value, signal: AbortSignal): Promise<Value> {
    this.#throwIfOver();
    const [{ watched } = {}] = await this.#list.watch([visitor], signal);
    if (watched === undefined) throw new RangeError('a write without a visitor');
    const { point } = watched;
    if (point instanceof Error) throw point;
    const { share, settings, context } = this.#opened;
    const { timeoutMs } = settings.link;
    const { clock } = context;
    const confirmation = new Confirmation({ point, share, clock, timeoutMs });
    this.#confirmations.add(confirmation);
    try {
      const taken = await confirmation.write(value, signal);
      if (point.command?.confirm === 'response') this.#answered(watched, taken);
      return taken;
    } finally {
      this.#confirmations.delete(confirmation);
    }
  }

  async subscribe(
    wishes: readonly Wish<Visitor>[],
    sink: Sink,
    signal: AbortSignal,
  ): Promise<readonly number[]> {
    this.#throwIfOver();
    const visitors = wishes.map(({ visitor }) => visitor);
    this.#list.forgetAllBut(visitors);
    const asked = await this.#list.watch(visitors, signal);
    signal.throwIfAborted();
    this.#throwIfOver();
    const watched = new Set(asked.map((each) => each.watched));
    for (const each of watched) [each.indexes, each.told] = [[], undefined];
    // Not by a spread, which makes room for 17.
    for (const [index, each] of asked.entries()) {
      each.watched.indexes = each.watched.indexes.concat(index);
    }
    this.#subscription = { sink };
    this.#begin([...watched], this.#subscription, signal);
    return [];
  }

  async close(): Promise<void> {
    this.#end(new Unreachable('MQTT_CLOSED', 'the connection was closed'));
    this.#opened.share.leave();
  }

  /** The device, or its broker, is lost. */
  lose(error: DmiError): void {
    const sink = this.#subscription?.sink;
    if (this.#end(error)) sink?.lost(error);
  }

  #end(error: DmiError): boolean {
    if (this.#over !== undefined) return false;
    this.#over = error;
    this.#subscription = undefined;
    this.#expiry.stop();
    for (const confirmation of this.#confirmations) confirmation.lose(error);
    return true;
  }

  #throwIfOver(): void {
    if (this.#over !== undefined) throw this.#over;
  }

  /** Tells what is known; says of the others, after a while, that there is nothing. */
  #begin(watched: readonly Watched[], subscription: Subscription, signal: AbortSignal): void {
    const { context, settings } = this.#opened;
    for (const each of watched) if (!isSilent(each)) this.#tell(each);
    this.#ask(watched);
    const cancel = context.clock.after(settings.link.timeoutMs, () => {
      if (this.#subscription !== subscription) return;
      for (const each of watched) if (isSilent(each)) this.#tell(each);
    });
    this.#expiry.also(cancel);
    const end = (): void => {
      cancel();
      if (this.#subscription === subscription) this.#subscription = undefined;
    };
    signal.addEventListener('abort', end, { once: true });
  }

  /** Makes those tell that can be asked, each topic and payload once. */
  #ask(all: readonly Watched[]): void {
    const asked = new Set<string>();
    for (const watched of all) {
      const { point } = watched;
      if (isSaid(watched) || point instanceof Error || point.ask === undefined) continue;
      const { topic, payload } = point.ask;
      if (asked.has(topic + payload)) continue;
      asked.add(topic + payload);
      const message = { topic, payload: Buffer.from(payload), qos: 0, retain: false } as const;
      // A broker that does not take it is lost, and that is told.
      this.#opened.share.publish(message, new AbortController().signal).catch(() => undefined);
    }
  }

  /** Waits a little for what was asked for the first time: a broker may send what it kept after its other answers. */
  async #firstWords(fresh: readonly Watched[], signal: AbortSignal): Promise<void> {
    this.#ask(fresh);
    const { clock } = this.#opened.context;
    const end = clock.monotonic() + this.#opened.settings.link.timeoutMs;
    while (fresh.some(isSilent) && clock.monotonic() < end && this.#over === undefined) {
      await clock.sleep(LOOK_MS, signal);
    }
  }

  #hear(heard: Heard): void {
    // An empty payload is how a broker is told to forget.
    if (this.#over !== undefined || heard.payload.length + heard.tooLarge === 0) return;
    const said: Said = { heard, json: lazily(() => parseJson(heard.payload)) };
    for (const watched of this.#list.on(heard.topic)) this.#take(watched, said);
    for (const confirmation of this.#confirmations) confirmation.hear(said);
  }

  #take(watched: Watched, said: Said): void {
    const { point } = watched;
    if (point instanceof Error || (said.heard.retained && point.retained === 'ignore')) return;
    // What the broker kept is older than what was heard live.
    if (said.heard.retained && isSaid(watched) && !watched.retained) return;
    const reading = readingOf(point, said, this.online);
    // One of several topics that says nothing of it.
    if (reading === undefined) return;
    this.#said(watched, reading, said.heard.atMs);
    watched.retained = said.heard.retained;
    if (point.expireMs !== Infinity) this.#expiry.watch(point.expireMs);
    this.#tell(watched);
  }

  /** The device's own word, on a topic that is not its state's: that may come later, or never. */
  #answered(watched: Watched, value: Value): void {
    this.#said(watched, { ok: true, value }, this.#opened.context.clock.now());
    this.#tell(watched);
  }

  #said(watched: Watched, reading: Reading, atMs: number): void {
    watched.value = reading.ok ? reading.value : undefined;
    watched.at = reading.ok ? reading.at : undefined;
    watched.doubt = reading.ok ? reading.doubt : undefined;
    watched.fault = reading.ok ? undefined : reading.error;
    watched.atMs = atMs;
    watched.retained = false;
    watched.stale = false;
  }

  #tell(watched: Watched): void {
    const sink = this.#subscription?.sink;
    if (sink === undefined || watched.indexes.length === 0) return;
    const reading = this.#reading(watched);
    const told = toldNow(watched.told, reading, this.#opened.context.clock.monotonic());
    if (told === undefined) return;
    watched.told = told;
    for (const index of watched.indexes) sink.reading(index, reading);
  }

  #expired(): void {
    for (const watched of this.#list.all) {
      const { point, stale, atMs } = watched;
      if (point instanceof Error || !isSaid(watched) || stale) continue;
      const leftMs = atMs + point.expireMs - this.#opened.context.clock.now();
      if (leftMs > 0) {
        if (leftMs !== Infinity) this.#expiry.watch(leftMs);
        continue;
      }
      watched.stale = true;
      this.#tell(watched);
    }
  }

  #reading({ point, value, at, doubt, fault, stale, atMs, refused }: Watched): Reading {
    if (point instanceof Error) return { ok: false, error: point };
    if (refused !== undefined) return { ok: false, error: refused };
    if (fault !== undefined) return { ok: false, error: fault };
    if (value === undefined) return { ok: false, error: nothingOn(point) };
    if (!stale) {
      return { ok: true, value, ...(at !== undefined && { at }), ...(doubt && { doubt }) };
    }
    const seconds = Math.round(point.expireMs / 1000);
    const message = `the device has said nothing of it for ${seconds} s`;
    return { ok: true, value, at: at ?? atMs, doubt: new Refused('MQTT_EXPIRED', message) };
  }
}

function isSaid({ value, fault }: Watched): boolean {
  return value !== undefined || fault !== undefined;
}

function isSilent(watched: Watched): boolean {
  return !isSaid(watched) && watched.refused === undefined && !(watched.point instanceof Error);
}

function nothingOn({ sources }: Point): DmiError {
  const topics = sources.map(({ topic }) => topic).join(', ');
  const message = `nothing was said on ${topics} yet: does the device publish there?`;
  return new Refused('MQTT_NO_VALUE', message);
}

/** Makes it when it is first asked for; a fault is one for all who ask. */
function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | { readonly error: unknown } | undefined;
  return () => {
    made ??= tried(make);
    if ('error' in made) throw made.error;
    return made.value;
  };
}

function tried<T>(make: () => T): { readonly value: T } | { readonly error: unknown } {
  try {
    return { value: make() };
  } catch (error) {
    return { error };
  }
}
