/** Answers what the core asks of the mapper in this process, each ask on the plane where it came. */
import {
  type Clock,
  type Log,
  type Mapper,
  type MapperContext,
  Misconfigured,
  type Value,
  unlessAborted,
} from '@limpet/dmi';
import { type CapturePage } from '@limpet/dmi/manifest';
import { unusableOutput } from '../../../device/connection-shape.ts';
import { type Open, openStream } from '../../../device/open.ts';
import { Ports } from '../../../device/ports.ts';
import { Obedience } from '../../obedience.ts';
import { type Refusals } from '../../sandbox/refusals.ts';
import { type Channel } from '../channel.ts';
import { type Asked, type DataAsk, type ManagementAsk, type ToChild } from '../messages.ts';
import { Outbox } from '../outbox.ts';
import { packError, packReadings, packValue, unpackValue } from '../packed.ts';
import { hearBack } from './hear-back.ts';
import { checkAll, parsedSettings } from './check.ts';
import { type Collector } from './collector.ts';
import { OwnSockets } from './own-sockets.ts';
import { ServedConnection } from './served-connection.ts';

export interface MapperServerOptions {
  readonly mapper: Mapper<unknown, unknown>;
  readonly clock: Clock;
  readonly log: Log;
  /** The mapper's own, which outlives it. */
  readonly folder?: string;
  readonly open?: Open;
  readonly refusals?: () => Refusals;
  readonly collector?: Collector;
}

/** Well below what a frame holds. */
const MAX_ANSWER_BYTES = 1_000_000;

type Ask = Asked<ManagementAsk | DataAsk>;
type Command = Extract<Ask, { t: 'write' | 'writeMany' | 'call' | 'subscribe' }>;

/** @throws Refused OUTPUT_UNUSABLE */
function packOutput(output: readonly Value[]): ReturnType<typeof packValue>[] {
  let packed: ReturnType<typeof packValue>[];
  try {
    packed = output.map(packValue);
  } catch (error) {
    throw unusableOutput((error as Error).message);
  }
  if (Buffer.byteLength(JSON.stringify(packed)) <= MAX_ANSWER_BYTES) return packed;
  throw unusableOutput(`more than ${MAX_ANSWER_BYTES} bytes`);
}

export class MapperServer {
  readonly #options: MapperServerOptions;
  readonly #ports: Ports;
  readonly #own: OwnSockets;
  readonly #connections = new Map<number, ServedConnection>();
  readonly #running = new Map<number, AbortController>();
  readonly #outbox = new Outbox();
  readonly #obedience: Obedience;
  #data: Channel | undefined;
  #granted = true;
  #flushing = false;
  #connected = false;

  constructor(options: MapperServerOptions) {
    const { clock, open } = options;
    this.#options = options;
    this.#own = new OwnSockets(clock);
    this.#ports = new Ports({ clock, open: this.#dialling(open ?? openStream) });
    this.#obedience = new Obedience(clock);
  }

  /** Where batches of readings go. */
  attach(data: Channel): void {
    this.#data = data;
  }

  /** A message of the core, which is trusted: both are one program. */
  receive(channel: Channel, message: Exclude<ToChild, { t: 'stop' }>): void {
    if (message.t === 'abort') {
      this.#running.get(message.id)?.abort(new Error('given up by the core'));
    } else if (message.t === 'credit') {
      this.#granted = true;
      this.#flush();
    } else void this.#answer(channel, message);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#connections.values()].map((each) => each.close()));
  }

  async #answer(channel: Channel, ask: Ask): Promise<void> {
    const { id } = ask;
    const end = new AbortController();
    this.#running.set(id, end);
    try {
      // A mapper that is deaf to the signal, or never answers, keeps no ask waiting.
      const served = unlessAborted(this.#serve(ask, end.signal), end.signal);
      channel.send({ t: 'answer', id, r: await served });
    } catch (error) {
      channel.send({ t: 'failed', id, e: packError(error) });
    } finally {
      this.#running.delete(id);
    }
  }

  async #serve(ask: Ask, signal: AbortSignal): Promise<unknown> {
    if (isCommand(ask)) return this.#command(ask, signal);
    switch (ask.t) {
      case 'check':
        return checkAll(this.#options.mapper, ask.items);
      case 'connect':
        return this.#connect(ask, signal);
      case 'back':
        return this.#back(ask, signal);
      case 'define':
        return this.#of(ask).define(ask.from, ask.visitors, signal);
      case 'read':
        return this.#read(ask, signal);
      case 'unsubscribe':
        return this.#unsubscribe(ask.subscription);
      case 'close':
        return this.#close(ask.connection);
      case 'tap':
        return this.#tap(ask);
      case 'health':
        return this.#health();
    }
  }

  #command(ask: Command, signal: AbortSignal): Promise<unknown> {
    switch (ask.t) {
      case 'write':
        return this.#write(ask, signal);
      case 'writeMany':
        return this.#writeMany(ask, signal);
      case 'call':
        return this.#call(ask, signal);
      case 'subscribe':
        return this.#subscribe(ask, signal);
    }
  }

  async #back(ask: Extract<Ask, { t: 'back' }>, signal: AbortSignal): Promise<null> {
    const { mapper } = this.#options;
    const settings = await parsedSettings(mapper, ask.settings);
    const seat = this.#ports.join(await mapper.port?.(settings), ask.device);
    const context = this.#contextOf(ask.device);
    const waiting = { mapper, seat, context, obedience: this.#obedience };
    await hearBack(waiting, { settings, code: ask.code }, signal);
    return null;
  }

  #contextOf(device: string): Pick<MapperContext, 'device' | 'clock' | 'log' | 'folder'> {
    const { clock, log, folder } = this.#options;
    return { device, clock, log: log.with({ device }), ...(folder !== undefined && { folder }) };
  }

  async #connect(
    { connection, device, settings }: Extract<Ask, { t: 'connect' }>,
    signal: AbortSignal,
  ): Promise<object> {
    const { mapper } = this.#options;
    const parsed = await parsedSettings(mapper, settings);
    const seat = this.#ports.join(await mapper.port?.(parsed), device);
    const context = this.#contextOf(device);
    const served = new ServedConnection({
      mapper,
      device,
      seat,
      context,
      obedience: this.#obedience,
    });
    try {
      await served.connect(parsed, signal);
    } catch (error) {
      await served.close();
      throw error;
    }
    this.#connections.set(connection, served);
    this.#loaded();
    return served.abilities;
  }

  /** With its first device a mapper loads the rest of it, and leaves as much behind as at its start. */
  #loaded(): void {
    if (this.#connected) return;
    this.#connected = true;
    // After the answer.
    setImmediate(() => this.#options.collector?.collect());
  }

  async #write(
    ask: Extract<Ask, { t: 'write' }>,
    signal: AbortSignal,
  ): Promise<ReturnType<typeof packValue>> {
    const kept: Value = await this.#of(ask).write(ask.visitor, unpackValue(ask.value), signal);
    return packValue(kept);
  }

  async #writeMany(
    ask: Extract<Ask, { t: 'writeMany' }>,
    signal: AbortSignal,
  ): Promise<ReturnType<typeof packReadings>> {
    const orders = ask.orders.map(([visitor, value]) => [visitor, unpackValue(value)] as const);
    const answers = await this.#of(ask).writeMany(orders, signal);
    return packReadings(answers, MAX_ANSWER_BYTES);
  }

  async #call(
    { connection, visitor, input }: Extract<Ask, { t: 'call' }>,
    signal: AbortSignal,
  ): Promise<ReturnType<typeof packValue>[]> {
    const served = this.#of({ connection });
    const output = await served.call(visitor, input.map(unpackValue), signal);
    return packOutput(output);
  }

  async #read(ask: Extract<Ask, { t: 'read' }>, signal: AbortSignal): Promise<unknown> {
    const readings = await this.#of(ask).read(ask.visitors, signal);
    return packReadings(readings, MAX_ANSWER_BYTES);
  }

  #subscribe(
    ask: Extract<Ask, { t: 'subscribe' }>,
    signal: AbortSignal,
  ): Promise<readonly number[]> {
    const { id: subscription, wishes } = ask;
    const told = (): void => this.#told();
    return this.#of(ask).subscribe({ subscription, wishes, outbox: this.#outbox, told }, signal);
  }

  #dialling(open: Open): Open {
    return async (address, signal) => {
      const stream = await open(address, signal);
      this.#own.dialled(stream);
      return stream;
    };
  }

  #tap({ device, capture }: Extract<Ask, { t: 'tap' }>): CapturePage {
    const page = this.#ports.tap(device, capture);
    const dialled = page.wires > 0 || page.events.length > 0 || page.dropped.events > 0;
    return dialled ? page : this.#own.page(`${device} ${capture}`);
  }

  #unsubscribe(subscription: number): null {
    for (const each of this.#connections.values()) each.unsubscribe(subscription);
    return null;
  }

  async #close(connection: number): Promise<null> {
    const served = this.#connections.get(connection);
    this.#connections.delete(connection);
    await served?.close();
    return null;
  }

  #health(): object {
    const { heapUsed, external } = process.memoryUsage();
    const { unended, tardy } = this.#obedience;
    const { count, last } = this.#options.refusals?.() ?? { count: 0, last: '' };
    const refused = { count, last: last.slice(0, 300) };
    const { superseded } = this.#outbox;
    // After the answer, which tells the core how quick this process is.
    setImmediate(() => this.#options.collector?.look());
    return { heapBytes: heapUsed + external, superseded, refused, unended, tardy };
  }

  /** What a mapper tells in one go leaves in one batch. */
  #told(): void {
    if (this.#flushing || !this.#granted) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (!this.#granted) return;
    const batch = this.#outbox.take();
    if (batch === undefined) return;
    this.#granted = false;
    this.#data?.send({ t: 'push', ...batch });
  }

  #of({ connection }: { readonly connection: number }): ServedConnection {
    const served = this.#connections.get(connection);
    if (served !== undefined) return served;
    throw new Misconfigured('MAPPER_PROTOCOL', 'the core asked for a connection that is not open');
  }
}

function isCommand(ask: Ask): ask is Command {
  return ['write', 'writeMany', 'call', 'subscribe'].includes(ask.t);
}
