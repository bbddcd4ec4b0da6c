/** One mapper at one device, read again and again: what `limpet mapper dev` shows. It reconnects as the runtime would. */
import {
  type Connection,
  type Log,
  type Mapper,
  type MapperContext,
  type Reading,
  Refused,
  type Value,
} from '@limpet/dmi';
import type { Property } from '@limpet/dmi/manifest';
import { setTimeout as sleep } from 'node:timers/promises';
import { answer } from '../../../runtime/device/convert.ts';
import { systemClock } from '../../../runtime/kernel/clock.ts';
import type { Answer } from '../../../runtime/device/convert.ts';

export interface SessionOptions {
  readonly mapper: Mapper<unknown, unknown>;
  readonly device: string;
  readonly settings: unknown;
  readonly properties: readonly { readonly property: Property; readonly visitor: unknown }[];
  readonly dial: MapperContext['dial'];
  readonly log: Log;
  readonly everyMs: number;
  /** Something of the below changed. */
  readonly changed: () => void;
}

export type State =
  | { readonly kind: 'connecting' | 'connected' }
  | { readonly kind: 'lost'; readonly error: Error };

interface Order {
  readonly index: number;
  readonly value: Value;
  readonly resolve: (value: Value) => void;
  readonly reject: (error: unknown) => void;
}

const CALL_MS = 10_000;
const RETRY_MS = 500;
const MAX_RETRY_MS = 5_000;
/** Orders that wait for a device that is away. */
const MAX_ORDERS = 20;

export class Session {
  readonly #options: SessionOptions;
  readonly #end = new AbortController();
  readonly #orders: Order[] = [];
  readonly #answers: (Answer | undefined)[];
  #wake = new AbortController();
  #running: Promise<void> | undefined;
  state: State = { kind: 'connecting' };

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#answers = options.properties.map(() => undefined);
  }

  /** The last of each property, in their order. */
  get answers(): readonly (Answer | undefined)[] {
    return this.#answers;
  }

  start(): void {
    this.#running = this.#live();
  }

  /** Resolves once the connection is closed. */
  async stop(): Promise<void> {
    this.#end.abort(new Error('the session ends'));
    this.#wake.abort();
    await this.#running;
    for (const { reject } of this.#orders.splice(0)) reject(new Error('the session has ended'));
  }

  /** Through the mapper; resolves with what the device made of it. */
  write(index: number, value: Value): Promise<Value> {
    if (this.#orders.length === MAX_ORDERS) throw new Error('too many writes wait already');
    const { promise, resolve, reject } = Promise.withResolvers<Value>();
    this.#orders.push({ index, value, resolve, reject });
    this.#wake.abort();
    return promise;
  }

  async #live(): Promise<void> {
    let retryMs = RETRY_MS;
    while (!this.#end.signal.aborted) {
      let connection: Connection<unknown> | undefined;
      try {
        connection = await this.#connect();
        retryMs = RETRY_MS;
        await this.#serve(connection);
      } catch (error) {
        if (this.#end.signal.aborted) break;
        this.state = { kind: 'lost', error: error as Error };
        this.#options.changed();
      } finally {
        await connection?.close().catch((error: unknown) => {
          this.#options.log.warn('close threw, which it must not', { error });
        });
      }
      await this.#pause(retryMs);
      retryMs = Math.min(MAX_RETRY_MS, retryMs * 2);
    }
  }

  #connect(): Promise<Connection<unknown>> {
    const { mapper, settings, device, dial, log } = this.#options;
    const context = { device, dial, log, clock: systemClock };
    return mapper.connect(settings, context, this.#signal());
  }

  async #serve(connection: Connection<unknown>): Promise<never> {
    const { properties, everyMs } = this.#options;
    const visitors = properties.map(({ visitor }) => visitor);
    for (;;) {
      this.#end.signal.throwIfAborted();
      for (let order = this.#orders.shift(); order !== undefined; order = this.#orders.shift()) {
        await this.#carryOut(connection, order);
      }
      const readings = await connection.read(visitors, this.#signal());
      if (readings.length !== visitors.length) {
        throw new Error(
          `read answered ${readings.length} readings for ${visitors.length} visitors`,
        );
      }
      // Not before: what stands there from before it was lost is old.
      this.state = { kind: 'connected' };
      this.#take(readings);
      await this.#pause(everyMs);
    }
  }

  /** @throws when the device is lost with it */
  async #carryOut(
    connection: Connection<unknown>,
    { index, value, resolve, reject }: Order,
  ): Promise<void> {
    try {
      const { property, visitor } = this.#options.properties[index] ?? {};
      const held = await connection.write(visitor, value, this.#signal());
      // What write resolves with is what the device will report.
      if (property) this.#answers[index] = answer(property, { ok: true, value: held });
      resolve(held);
    } catch (error) {
      reject(error);
      const stays = error instanceof Refused || (error as Error).name === 'Misconfigured';
      if (!stays) throw error;
    }
  }

  #take(readings: readonly Reading[]): void {
    for (const [index, { property }] of this.#options.properties.entries()) {
      const reading = readings[index];
      if (reading !== undefined) this.#answers[index] = answer(property, reading);
    }
    this.#options.changed();
  }

  #signal(): AbortSignal {
    return AbortSignal.any([this.#end.signal, AbortSignal.timeout(CALL_MS)]);
  }

  async #pause(ms: number): Promise<void> {
    if (this.#end.signal.aborted) return;
    if (this.#orders.length > 0 && this.state.kind === 'connected') return;
    this.#wake = new AbortController();
    await sleep(ms, undefined, { signal: this.#wake.signal }).catch(() => undefined);
  }
}
