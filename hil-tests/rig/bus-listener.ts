/** A client of the edge's local bus that is not ours: mqtt.js, hearing everything. */
import { type IClientOptions, connectAsync, type MqttClient } from 'mqtt';

type Payload = Readonly<Record<string, unknown>>;

export class BusListener {
  readonly #client: MqttClient;
  readonly #heard = new Map<string, Payload[]>();

  private constructor(client: MqttClient) {
    this.#client = client;
    client.on('message', (topic, payload) => {
      const heard = this.#heard.get(topic) ?? [];
      heard.push(read(payload.toString('utf8')));
      this.#heard.set(topic, heard);
    });
    client.on('error', () => undefined); // the edge was stopped: it connects again by itself
  }

  static async connect(port: number, topics: string | string[] = 'limpet/#'): Promise<BusListener> {
    const options: IClientOptions = { reconnectPeriod: 100 };
    const bus = new BusListener(await connectAsync(`mqtt://127.0.0.1:${port}`, options));
    await bus.#client.subscribeAsync(topics);
    return bus;
  }

  /** What was said last on a topic; empty once it was cleared. */
  last(topic: string): Payload | undefined {
    return this.#heard.get(topic)?.at(-1);
  }

  /** All that was heard on a topic. */
  all(topic: string): readonly Payload[] {
    return this.#heard.get(topic) ?? [];
  }

  async publish(topic: string, payload: string): Promise<void> {
    await this.#client.publishAsync(topic, payload, { qos: 1 });
  }

  async close(): Promise<void> {
    await this.#client.endAsync(true);
  }
}

/** What clients send need not be JSON. */
function read(text: string): Payload {
  return text.startsWith('{') ? (JSON.parse(text) as Payload) : {};
}
