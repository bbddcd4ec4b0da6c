/** One value on its way to a device, until the device has said what became of it. */
import { type Clock, DmiError, Misconfigured, Refused, type Value } from '@limpet/dmi';
import type { Share } from './broker.ts';
import { Echo } from './echo.ts';
import { pick } from './json-path.ts';
import type { Point } from './points.ts';
import { readingOf, type Said } from './said.ts';
import { decodeJson, decodePayload, encode, payloadOf } from './values.ts';

interface Around {
  readonly point: Point;
  readonly share: Share;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

export class Confirmation {
  readonly #around: Around;
  #echo: Echo | undefined;

  constructor(around: Around) {
    this.#around = around;
  }

  /** Resolves with the value as the device reports it. @throws Refused, Misconfigured, Unreachable */
  async write(value: Value, signal: AbortSignal): Promise<Value> {
    const { point, share, clock, timeoutMs } = this.#around;
    const { command, layout } = point;
    if (command === undefined) {
      throw new Misconfigured('MQTT_READ_ONLY', 'the visitor has no command to write it with');
    }
    const { topic, qos, retain, response, confirm } = command;
    const payload = payloadOf(encode(value, layout), command.payload);
    const echo = new Echo(value, share, clock);
    this.#echo = echo;
    const message = {
      topic,
      payload,
      // Where the broker's word is all, it has to give it.
      qos: qos === 0 && confirm === 'broker' ? 1 : qos,
      retain,
      ...(response && { properties: { responseTopic: response.topic } }),
    } as const;
    await share.publish(message, signal);
    if (confirm === 'broker') return value;
    const ms = response?.timeoutMs ?? timeoutMs;
    return echo.wait(ms, unconfirmed(point, ms), signal);
  }

  /** A message on one of the device's topics. */
  hear(said: Said): void {
    const { point } = this.#around;
    const { confirm, response } = point.command ?? {};
    if (said.heard.retained) return;
    if (confirm === 'response' && said.heard.topic === response?.topic) this.#answered(said);
    if (confirm !== 'state') return;
    const reading = readingOf(point, said, true);
    if (reading?.ok === true) this.#echo?.state(reading.value);
    else if (reading !== undefined) this.#echo?.fail(reading.error);
  }

  lose(error: DmiError): void {
    this.#echo?.fail(error);
  }

  #answered({ heard, json }: Said): void {
    const { command, layout } = this.#around.point;
    try {
      const path = command?.response?.path;
      const raw = path === undefined ? undefined : pick(json(), path);
      if (path !== undefined && raw === undefined) return;
      this.#echo?.answer(
        raw === undefined ? decodePayload(heard.payload, layout) : decodeJson(raw, layout),
      );
    } catch (error) {
      const said = error instanceof DmiError ? `: ${error.message}` : '';
      const message = `the device did not take it${said}`;
      this.#echo?.fail(new Refused('MQTT_DEVICE_SAYS', message, { cause: error }));
    }
  }
}

function unconfirmed({ command, sources }: Point, ms: number): Refused {
  const where = command?.response?.topic ?? sources.map(({ topic }) => topic).join(', ');
  return new Refused(
    'MQTT_UNCONFIRMED',
    `the broker took it, and the device said nothing on ${where} within ${ms} ms: is it on? One that never answers needs confirm: broker`,
  );
}
