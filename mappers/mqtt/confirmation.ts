/** One value on its way to a device, until the device has said what became of it. */
import { DmiError, type MapperContext, Refused, type Value } from '@limpet/dmi';
import type { Share } from './broker.ts';
import { pick } from './json-path.ts';
import type { Message } from './orders.ts';
import { sameValue } from './news.ts';
import type { Point } from './points.ts';
import { readingOf, type Said } from './said.ts';
import { unlessAborted } from './unless-aborted.ts';
import { decodeJson, decodePayload, encode, payloadOf } from './values.ts';

interface Around {
  readonly point: Point;
  readonly share: Share;
  readonly context: MapperContext;
  readonly timeoutMs: number;
}

/** A state that is another than was asked for gets so long to follow: the device may have been about to say it. */
const FOLLOW_MS = 1_000;

export class Confirmation {
  readonly #around: Around;
  readonly #told = Promise.withResolvers<Value>();
  #sent = false;
  #wanted: Value = null;
  #cancel: (() => void)[] = [];

  constructor(around: Around) {
    this.#around = around;
  }

  /** Resolves with the value as the device reports it. @throws Refused, Misconfigured, Unreachable */
  async write(value: Value, signal: AbortSignal): Promise<Value> {
    const { point, share, timeoutMs } = this.#around;
    const { command, layout } = point;
    if (command === undefined)
      throw new Refused('MQTT_READ_ONLY', 'nothing says how it is written');
    const { topic, qos, retain, response, confirm } = command;
    const payload = payloadOf(encode(value, layout), command.payload);
    this.#told.promise.catch(() => undefined);
    this.#wanted = value;
    try {
      this.#sent = true;
      const message: Message = {
        topic,
        payload,
        // The broker's word is the least.
        qos: qos === 0 && confirm === 'broker' ? 1 : qos,
        retain,
        ...(response && { properties: { responseTopic: response.topic } }),
      };
      await share.publish(message, signal);
      if (confirm === 'broker') return value;
      const ms = response?.timeoutMs ?? timeoutMs;
      this.#after(ms, () => void this.#giveUp(unconfirmed(point, ms), signal));
      return await unlessAborted(this.#told.promise, signal);
    } finally {
      for (const cancel of this.#cancel) cancel();
    }
  }

  /** A message on one of the device's topics. */
  hear(said: Said): void {
    const { point } = this.#around;
    const { confirm, response } = point.command ?? {};
    if (!this.#sent || said.heard.retained) return;
    if (confirm === 'response' && said.heard.topic === response?.topic) this.#answered(said);
    if (confirm !== 'state') return;
    const reading = readingOf(point, said, true);
    if (reading === undefined) return;
    if (!reading.ok) return this.#told.reject(reading.error);
    const { value } = reading;
    if (sameValue(value, this.#wanted)) return this.#told.resolve(value);
    this.#after(FOLLOW_MS, () => this.#told.resolve(value));
  }

  lose(error: DmiError): void {
    this.#told.reject(error);
  }

  /** A broker that is gone is why nothing came: that is another matter. */
  async #giveUp(error: DmiError, signal: AbortSignal): Promise<void> {
    try {
      await this.#around.share.ping(signal);
      this.#told.reject(error);
    } catch (lost) {
      this.#told.reject(lost);
    }
  }

  #answered({ heard, json }: Said): void {
    const { command, layout } = this.#around.point;
    try {
      const path = command?.response?.path;
      const raw = path === undefined ? undefined : pick(json(), path);
      if (path !== undefined && raw === undefined) return;
      this.#told.resolve(
        raw === undefined ? decodePayload(heard.payload, layout) : decodeJson(raw, layout),
      );
    } catch (error) {
      const said = error instanceof DmiError ? `: ${error.message}` : '';
      const message = `the device did not take it${said}`;
      this.#told.reject(new Refused('MQTT_DEVICE_SAYS', message, { cause: error }));
    }
  }

  #after(ms: number, task: () => void): void {
    this.#cancel.push(this.#around.context.clock.after(ms, task));
  }
}

function unconfirmed({ command, sources }: Point, ms: number): Refused {
  const where = command?.response?.topic ?? sources.map(({ topic }) => topic).join(', ');
  return new Refused(
    'MQTT_UNCONFIRMED',
    `the broker took it, and the device said nothing on ${where} within ${ms} ms: is it on? One that never answers needs confirm: broker`,
  );
}
