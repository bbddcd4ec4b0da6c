/** Whether a device is there, by its own last will: the topic on which it, or the broker for it, says so. */
import { type MapperContext, Unreachable } from '@limpet/dmi';
import type { Share } from './broker.ts';
import type { TopicConnection } from './connection.ts';
import type { Availability as Where } from './settings.ts';
import type { Fill } from './template.ts';
import type { Heard } from './topics.ts';

interface Around {
  readonly availability: Where;
  readonly share: Share;
  readonly context: MapperContext;
  readonly fill: Fill;
  readonly timeoutMs: number;
}

/** A broker that keeps it has sent it by then. */
const KEPT_MS = 1_000;

export class Availability {
  readonly #around: Around;
  readonly #topic: string;
  #state: 'unknown' | 'online' | 'offline' = 'unknown';
  #connection: TopicConnection | undefined;

  constructor(around: Around) {
    this.#around = around;
    this.#topic = around.fill(around.availability.topic);
  }

  /**
   * Whether it says that it is there; false when it says nothing. From then on the connection is told.
   * @throws Unreachable MQTT_DEVICE_OFFLINE
   */
  async wait(connection: TopicConnection, signal: AbortSignal): Promise<boolean> {
    const { share, context, timeoutMs } = this.#around;
    const { clock } = context;
    const refused = await share.listen([this.#topic], this.#hear, signal);
    const error = refused.get(this.#topic);
    if (error !== undefined) throw error;
    const start = clock.monotonic();
    // One that is away may be about to come back.
    const patience = (): number =>
      this.#state === 'offline' ? timeoutMs : Math.min(KEPT_MS, timeoutMs);
    while (this.#state !== 'online' && clock.monotonic() - start < patience()) {
      await clock.sleep(20, signal);
    }
    if (this.#state === 'offline') throw this.#offline();
    this.#connection = connection;
    return this.#state === 'online';
  }

  readonly #hear = (heard: Heard): void => {
    const { availability } = this.#around;
    const online = saysOnline(availability, heard);
    if (!online && wordOf(heard) !== availability.offline) return;
    this.#state = online ? 'online' : 'offline';
    if (this.#connection === undefined) return;
    if (this.#state === 'offline') this.#connection.lose(this.#offline());
    else this.#connection.online = true;
  };

  #offline(): Unreachable {
    const message = `the device is away: ${this.#topic} says ${this.#around.availability.offline}`;
    return new Unreachable('MQTT_DEVICE_OFFLINE', message);
  }
}

export const saysOnline = ({ online }: Where, heard: Heard): boolean => wordOf(heard) === online;

/** The word alone, or as Zigbee2MQTT says it: `{"state":"online"}`. */
function wordOf({ payload }: Heard): string {
  const text = payload.toString('utf8', 0, 256);
  const [, word] = /^\s*\{\s*"state"\s*:\s*"([^"]*)"\s*\}\s*$/.exec(text) ?? [];
  return word ?? text.trim();
}
