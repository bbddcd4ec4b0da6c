/** A broker for simulated devices (aedes), on any byte stream. */
import { type Duplex, duplexPair } from 'node:stream';
import { Aedes } from 'aedes';

export class SimulatedBroker {
  readonly #broker: Aedes;
  #saying: Promise<unknown> = Promise.resolve();

  private constructor(broker: Aedes) {
    this.#broker = broker;
  }

  /** `ordered` is told what clients publish. */
  static async open(ordered: (topic: string, payload: Buffer) => void): Promise<SimulatedBroker> {
    const broker = await Aedes.createBroker();
    broker.on('publish', ({ topic, payload }, client) => {
      if (client !== null) ordered(topic, Buffer.from(payload));
    });
    return new SimulatedBroker(broker);
  }

  accept(wire: Duplex): void {
    const [near, far] = duplexPair();
    this.#broker.handle(far as Parameters<Aedes['handle']>[0]);
    near.pipe(wire);
    void this.#carry(wire, near);
  }

  /** Publishes as a device. */
  say(topic: string, payload: string | Buffer, retain: boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const message = { cmd: 'publish', topic, payload, qos: 0, retain, dup: false } as const;
    this.#broker.publish(message, () => resolve());
    this.#saying = Promise.all([this.#saying, promise]);
    return promise;
  }

  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#broker.close(resolve);
    await promise;
  }

  /** What a device said goes out before the broker hears what came after it: aedes takes its time to publish. */
  async #carry(wire: Duplex, near: Duplex): Promise<void> {
    try {
      for await (const chunk of wire) {
        await this.#saying;
        near.write(chunk);
      }
      near.end();
    } catch {
      // The wire was cut: to the broker that is a client that is lost.
      near.destroy();
    }
  }
}
