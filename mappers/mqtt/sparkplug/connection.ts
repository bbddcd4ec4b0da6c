/** One open Sparkplug device: an edge node, or a device behind one. */
import {
  type Connection,
  DmiError,
  type MapperContext,
  Misconfigured,
  type Reading,
  Refused,
  type Sink,
  Unreachable,
  type Value,
  type Wish,
} from '@limpet/dmi';
import type { Share } from '../broker.ts';
import { Echo } from '../echo.ts';
import type { Settings, Sparkplug } from '../settings.ts';
import type { Heard } from '../topics.ts';
import type { Visitor } from '../visitor.ts';
import { Lineage } from './lineage.ts';
import { metricFor, readingOf } from './metric.ts';
import { encodePayload, type Metric } from './payload.ts';
import { rebirth } from './rebirth.ts';

interface Around {
  readonly share: Share;
  readonly settings: Settings;
  readonly context: MapperContext;
  readonly place: Sparkplug;
}

interface Subscription {
  /** By metric. */
  readonly indexes: ReadonlyMap<string, readonly (readonly [index: number, visitor: Visitor])[]>;
  readonly sink: Sink;
}

/** A node is asked for its births at most so often, however many of its devices have reason to. */
const REBIRTH_MS = 5_000;
const LOOK_MS = 20;

export class SparkplugConnection implements Connection<Visitor> {
  readonly #around: Around;
  readonly #lineage: Lineage;
  readonly #echoes = new Map<Echo, { readonly name: string; readonly visitor: Visitor }>();
  #subscription: Subscription | undefined;
  #over: DmiError | undefined;

  private constructor(around: Around) {
    this.#around = around;
    this.#lineage = new Lineage(around.place);
  }

  /** Waits for the device's birth, and asks for it. @throws Unreachable MQTT_NO_BIRTH */
  static async open(around: Around, signal: AbortSignal): Promise<SparkplugConnection> {
    const connection = new SparkplugConnection(around);
    await connection.#open(signal);
    return connection;
  }

  async read(visitors: readonly Visitor[], signal: AbortSignal): Promise<readonly Reading[]> {
    this.#throwIfOver();
    await this.#around.share.ping(signal);
    this.#throwIfOver();
    return visitors.map((visitor) => this.#reading(visitor));
  }

  async write(visitor: Visitor, value: Value, signal: AbortSignal): Promise<Value> {
    this.#throwIfOver();
    const name = metricOf(visitor);
    const known = this.#lineage.known(name);
    if (known === undefined) throw this.#noMetric(name);
    const { share, context, settings } = this.#around;
    const { clock } = context;
    const { timeoutMs } = settings.link;
    const { datatype } = known;
    const metric = {
      name,
      timestamp: clock.now(),
      datatype,
      ...metricFor(value, visitor.layout, datatype),
    };
    const echo = new Echo(value, share, clock);
    this.#echoes.set(echo, { name, visitor });
    try {
      await this.#command([metric], settings.qos, signal);
      const message = `the broker took it, and the device did not say within ${timeoutMs} ms that ${name} has changed`;
      return await echo.wait(timeoutMs, new Refused('MQTT_UNCONFIRMED', message), signal);
    } finally {
      this.#echoes.delete(echo);
    }
  }

  async subscribe(
    wishes: readonly Wish<Visitor>[],
    sink: Sink,
    signal: AbortSignal,
  ): Promise<readonly number[]> {
    this.#throwIfOver();
    // The births may have come a while ago: is the broker still there?
    await this.#around.share.ping(signal);
    this.#throwIfOver();
    const indexes = new Map<string, (readonly [number, Visitor])[]>();
    for (const [index, { visitor }] of wishes.entries()) {
      const name = metricOf(visitor);
      const same = indexes.get(name) ?? [];
      same.push([index, visitor]);
      indexes.set(name, same);
    }
    const subscription = { indexes, sink };
    this.#subscription = subscription;
    const end = (): void => {
      if (this.#subscription === subscription) this.#subscription = undefined;
    };
    signal.addEventListener('abort', end, { once: true });
    this.#tell(indexes.keys());
    return [];
  }

  async close(): Promise<void> {
    this.#end(new Unreachable('MQTT_CLOSED', 'the connection was closed'));
    this.#around.share.leave();
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
    for (const echo of this.#echoes.keys()) echo.fail(error);
    return true;
  }

  #throwIfOver(): void {
    if (this.#over !== undefined) throw this.#over;
  }

  async #open(signal: AbortSignal): Promise<void> {
    const { share, place, context, settings } = this.#around;
    const { clock } = context;
    const filter = `spBv1.0/${place.group}/+/${place.node}/#`;
    const refused = await share.listen([filter], this.#hear, signal);
    const error = refused.get(filter);
    if (error !== undefined) throw error;
    // Another device may have asked just before this one listened.
    const end = clock.monotonic() + REBIRTH_MS + settings.link.timeoutMs;
    while (!this.#lineage.born && clock.monotonic() < end) {
      this.#throwIfOver();
      this.#askRebirth();
      await clock.sleep(LOOK_MS, signal);
    }
    this.#throwIfOver();
    if (this.#lineage.born) return;
    const who = [place.group, place.node, place.device].filter(Boolean).join('/');
    const message = `${who} was asked for its birth and sent none: is it on, and are group, node and device right?`;
    throw new Unreachable('MQTT_NO_BIRTH', message);
  }

  readonly #hear = (heard: Heard): void => {
    if (this.#over !== undefined || heard.retained) return;
    const [, , kind = '', , device] = heard.topic.split('/');
    const { place, context } = this.#around;
    if (heard.tooLarge > 0) {
      if (device !== place.device) return;
      const message = `${kind} has ${heard.tooLarge} bytes or more: raise maxPayload in the settings`;
      return this.lose(new Misconfigured('MQTT_TOO_LARGE', message));
    }
    try {
      const news = this.#lineage.hear(kind, device, heard.payload);
      if (news.kind === 'dead') return this.lose(new Unreachable('MQTT_DEVICE_OFFLINE', news.why));
      if (news.kind === 'metrics') this.#told(news.names);
    } catch (error) {
      // Of this device alone: the others of the broker go on.
      if (error instanceof DmiError) return this.lose(error);
      throw error;
    }
    if (this.#lineage.missed !== undefined && this.#askRebirth()) {
      context.log.debug('asked for a new birth', { why: this.#lineage.missed });
    }
  };

  #told(names: readonly string[]): void {
    for (const [echo, { name, visitor }] of this.#echoes) {
      if (!names.includes(name)) continue;
      const reading = this.#reading(visitor);
      if (reading.ok) echo.state(reading.value);
      else echo.fail(reading.error);
    }
    this.#tell(names);
  }

  #tell(names: Iterable<string>): void {
    const { indexes, sink } = this.#subscription ?? {};
    if (indexes === undefined || sink === undefined) return;
    for (const name of names) {
      for (const [index, visitor] of indexes.get(name) ?? []) {
        sink.reading(index, this.#reading(visitor));
      }
    }
  }

  #reading(visitor: Visitor): Reading {
    if (visitor.place.kind !== 'metric') {
      const message = `the visitor says ${visitor.place.kind}; a device with dialect sparkplug-b needs metric`;
      return { ok: false, error: new Misconfigured('MQTT_DIALECT', message) };
    }
    const { metric: name } = visitor.place;
    const known = this.#lineage.known(name);
    if (known === undefined) return { ok: false, error: this.#noMetric(name) };
    return readingOf(known.metric, known.datatype, visitor.layout);
  }

  #noMetric(name: string): Refused {
    const some = this.#lineage.names.slice(0, 20).join(', ');
    return new Refused('MQTT_NO_METRIC', `its birth has no metric ${name}; it has ${some}`);
  }

  /** Whether it was asked: not where that was done a moment ago. */
  #askRebirth(): boolean {
    const { share, place, context } = this.#around;
    if (!share.mayAsk(`rebirth ${place.group}/${place.node}`, REBIRTH_MS)) return false;
    // A broker that does not take it is lost, and that is told.
    share
      .publish(rebirth(place, context.clock), new AbortController().signal)
      .catch(() => undefined);
    return true;
  }

  async #command(metrics: readonly Metric[], qos: 0 | 1 | 2, signal: AbortSignal): Promise<void> {
    const { share, place, context } = this.#around;
    const topic =
      place.device === undefined
        ? `spBv1.0/${place.group}/NCMD/${place.node}`
        : `spBv1.0/${place.group}/DCMD/${place.node}/${place.device}`;
    const payload = encodePayload({ timestamp: context.clock.now(), metrics });
    await share.publish({ topic, payload, qos: qos === 0 ? 1 : qos, retain: false }, signal);
  }
}

function metricOf({ place }: Visitor): string {
  return place.kind === 'metric' ? place.metric : '';
}
