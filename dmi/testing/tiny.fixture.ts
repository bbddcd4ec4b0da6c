/**
 * A small mapper that keeps every promise, and quirks that each break one: JSON lines, `{"id":1,"get":["a"]}` or
 * `{"id":2,"set":"a","to":5}`, answered with `{"id":1,"of":[{"value":5}]}`. After `{"id":3,"watch":["a"]}` each
 * change of those comes as `{"told":"a","value":6}`; bools are not told.
 */
import type { Duplex } from 'node:stream';
import * as v from 'valibot';
import {
  type Connection,
  defineMapper,
  type DmiError,
  Garbled,
  type Json,
  type Mapper,
  type MapperContext,
  Misconfigured,
  type Reading,
  Refused,
  type Sink,
  Unreachable,
  type Value,
  type Wish,
} from '../index.ts';
import { exact } from '../manifest/schema.ts';

export type Quirk =
  | 'badly named'
  | 'never fits'
  | 'fits with a boolean'
  | 'schema throws'
  | 'loose schema'
  | 'a new port each time'
  | 'fails with a plain error'
  | 'dials without the signal'
  | 'sorts the answers'
  | 'numbers as text'
  | 'refusal spoils the batch'
  | 'refuses an empty batch'
  | 'takes each chunk for an answer'
  | 'leaves listeners'
  | 'says what was asked, not what is'
  | 'remembers what it wrote'
  | 'reads only once'
  | 'writes a neighbour too'
  | 'writes anything'
  | 'ignores abort'
  | 'a cut is Garbled'
  | 'does not hear a hang-up'
  | 'makes up a value for nonsense'
  | 'makes up a value for half an answer'
  | 'listens to no errors'
  | 'keeps the wire'
  | 'close throws after a cut'
  | 'close throws the second time'
  | 'opens only once'
  | 'only polls'
  | 'refuses to subscribe'
  | 'cannot tell what was not wished'
  | 'tells under the next index'
  | 'tells no start'
  | 'tells no change'
  | 'tells after its end'
  | 'loses in silence'
  | 'loses twice'
  | 'tells everything thrice'
  | 'subscribes only once';

const TIMEOUT_MS = 2000;

type Settings = { readonly address: string };
type Visitor = { readonly key: string };
type Answer = {
  readonly id: number;
  readonly of: { readonly value?: Json; readonly no?: string }[];
};

/** Opens the wire; by default `context.dial`. */
export type Dial = MapperContext['dial'];

/** The mapper, with one promise broken or none. */
export function tinyMapper(quirk?: Quirk, dial?: Dial): Mapper<Settings, Visitor> {
  const loose = quirk === 'loose schema';
  const settings: v.GenericSchema<unknown, Settings> = exact({ address: v.string() });
  const visitor: v.GenericSchema<unknown, Visitor> = loose
    ? v.object({ key: v.string() })
    : exact({ key: v.string() });
  const throwing = v.pipe(
    v.unknown(),
    v.check((value) => typeof (value as { key: unknown }).key === 'string'),
  ) as v.GenericSchema<unknown, Visitor>;
  let opened = 0;
  return defineMapper({
    protocol: quirk === 'badly named' ? 'Tiny Mapper' : 'tiny',
    settings,
    visitor: quirk === 'schema throws' ? throwing : visitor,
    fits(_, { type }) {
      if (quirk === 'fits with a boolean') return false as unknown as string;
      return type === 'json' || quirk === 'never fits'
        ? 'a tiny device holds no objects'
        : undefined;
    },
    port: ({ address }) => (quirk === 'a new port each time' ? `${address}#${opened++}` : address),
    async connect({ address }, context, signal) {
      if (quirk === 'opens only once' && opened++ > 0) throw new Unreachable('TINY', 'in use');
      const own = quirk === 'dials without the signal' ? new AbortController().signal : signal;
      try {
        return new TinyConnection(await (dial ?? context.dial)(address, own), context, quirk);
      } catch (error) {
        throw quirk === 'fails with a plain error' ? new Error('it failed') : error;
      }
    },
  });
}

class TinyConnection implements Connection<Visitor> {
  readonly #wire: Duplex;
  readonly #context: MapperContext;
  readonly #quirk: Quirk | undefined;
  /** What a wrong mapper answers without asking. */
  readonly #known = new Map<string, Value>();
  #rest = '';
  #id = 0;
  #lost: DmiError | undefined;
  #closed = false;
  #watch: { keys: readonly string[]; sink: Sink } | undefined;
  #watches = 0;
  #waiting: { id: number; settle: (answer: Answer | DmiError) => void } | undefined;

  constructor(wire: Duplex, context: MapperContext, quirk: Quirk | undefined) {
    this.#wire = wire;
    this.#context = context;
    this.#quirk = quirk;
    if (quirk !== 'only polls')
      this.subscribe = (wishes, sink, signal) => this.#subscribe(wishes, sink, signal);
    const gone = (): void => {
      const Lost = quirk === 'a cut is Garbled' ? Garbled : Unreachable;
      this.#fail(new Lost('TINY_LOST', 'the wire is gone'));
    };
    wire.on('data', (chunk: Buffer) => this.#take(chunk.toString()));
    if (quirk !== 'listens to no errors') wire.on('error', gone);
    wire.on('close', gone);
    wire.on('end', () => {
      if (quirk === 'makes up a value for half an answer' && this.#rest !== '') this.#makeUp();
      if (quirk !== 'does not hear a hang-up') gone();
    });
  }

  async read(visitors: readonly Visitor[], signal: AbortSignal): Promise<readonly Reading[]> {
    const readings = await this.#read(visitors, signal);
    return readings.map((reading, index) => {
      const key = visitors[index]?.key ?? '';
      if (this.#quirk === 'reads only once' && reading.ok) {
        if (!this.#known.has(key)) this.#known.set(key, reading.value);
      }
      const value = this.#known.get(key);
      return value === undefined ? reading : { ok: true, value };
    });
  }

  async #read(visitors: readonly Visitor[], signal: AbortSignal): Promise<readonly Reading[]> {
    const keys = visitors.map(({ key }) => key);
    if (this.#quirk === 'refuses an empty batch' && keys.length === 0) {
      throw new Misconfigured('TINY_EMPTY', 'nothing to read');
    }
    if (this.#quirk === 'sorts the answers') keys.sort();
    const { of } = await this.#ask({ get: keys }, signal);
    return of.map(({ value = null, no }): Reading => {
      if (no === undefined) return { ok: true, value: this.#decode(value) };
      const error = new Refused('TINY_NO', no);
      if (this.#quirk === 'refusal spoils the batch') throw error;
      return { ok: false, error };
    });
  }

  async write({ key }: Visitor, value: Value, signal: AbortSignal): Promise<Value> {
    if (typeof value === 'object' && this.#quirk !== 'writes anything') {
      throw new Misconfigured('TINY_TYPE', 'a tiny device holds no objects');
    }
    if (this.#quirk === 'remembers what it wrote') {
      this.#known.set(key, value);
      return value;
    }
    const { of } = await this.#ask({ set: key, to: value as Json }, signal);
    if (this.#quirk === 'writes a neighbour too')
      await this.#ask({ set: 'name', to: `n${this.#id}` }, signal);
    return this.#quirk === 'says what was asked, not what is' ? value : (of[0]?.value ?? null);
  }

  readonly subscribe?: NonNullable<Connection<Visitor>['subscribe']>;

  async #subscribe(
    wishes: readonly Wish<Visitor>[],
    sink: Sink,
    signal: AbortSignal,
  ): Promise<readonly number[]> {
    if (this.#quirk === 'refuses to subscribe') throw new Refused('TINY_NO', 'not here');
    const keys = wishes.map(({ visitor }) => visitor.key);
    const { of } = await this.#ask({ watch: keys }, signal);
    if (this.#quirk === 'subscribes only once' && this.#watches++ > 0) return [];
    this.#watch = { keys, sink };
    if (this.#quirk !== 'tells after its end') {
      signal.addEventListener('abort', () => (this.#watch = undefined), { once: true });
    }
    const polled = of.flatMap(({ value }, index) => (typeof value === 'boolean' ? [index] : []));
    for (const [index, { value }] of of.entries()) {
      if (this.#quirk !== 'tells no start' && !polled.includes(index))
        this.#tell(keys[index] ?? '', value ?? null);
    }
    return this.#quirk === 'cannot tell what was not wished' ? [keys.length] : polled;
  }

  #tell(key: string, value: Json): void {
    const { keys = [], sink } = this.#watch ?? {};
    const index = keys.indexOf(key);
    const shift = this.#quirk === 'tells under the next index' ? 1 : 0;
    const times = this.#quirk === 'tells everything thrice' ? 3 : 1;
    for (let time = 0; time < times; time++) sink?.reading(index + shift, { ok: true, value });
  }

  #lose(error: DmiError): void {
    const { sink } = this.#watch ?? {};
    this.#watch = undefined;
    if (this.#quirk !== 'loses in silence') sink?.lost(error);
    if (this.#quirk === 'loses twice') sink?.lost(error);
  }

  async close(): Promise<void> {
    this.#watch = undefined;
    if (this.#quirk === 'keeps the wire') return;
    if (this.#quirk === 'close throws after a cut' && this.#wire.destroyed) throw new Error('gone');
    if (this.#quirk === 'close throws the second time' && this.#closed) throw new Error('closed');
    this.#closed = true;
    this.#wire.end();
  }

  async #ask(request: object, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted();
    if (this.#lost !== undefined) throw this.#lost;
    const id = ++this.#id;
    const { promise, resolve } = Promise.withResolvers<Answer | DmiError>();
    this.#waiting = { id, settle: resolve };
    const late = (): void => resolve(new Unreachable('TINY_SILENT', 'no answer'));
    const deaf = this.#quirk === 'ignores abort' || this.#quirk === 'does not hear a hang-up';
    const cancel = deaf ? () => undefined : this.#context.clock.after(TIMEOUT_MS, late);
    if (this.#quirk !== 'ignores abort') signal.addEventListener('abort', late);
    this.#wire.write(`${JSON.stringify({ id, ...request })}\n`);
    const answer = await promise;
    cancel();
    this.#waiting = undefined;
    if (this.#quirk !== 'leaves listeners') signal.removeEventListener('abort', late);
    if (answer instanceof Error) throw answer;
    return answer;
  }

  #take(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n');
    if (this.#quirk === 'takes each chunk for an answer' && chunk !== '\n') lines.push('');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#answer(line);
  }

  #answer(line: string): void {
    try {
      const answer = v.parse(LINE, JSON.parse(line));
      if ('told' in answer) {
        if (this.#quirk !== 'tells no change') this.#tell(answer.told, answer.value as Json);
      } else if (answer.id === this.#waiting?.id) this.#waiting.settle(answer as Answer);
    } catch (cause) {
      if (this.#quirk === 'makes up a value for nonsense') return this.#makeUp();
      if (line !== '') this.#fail(new Garbled('TINY_NONSENSE', 'not an answer', { cause }));
    }
  }

  #makeUp(): void {
    this.#waiting?.settle({ id: this.#id, of: [{ value: 0 }, { value: '' }, { value: false }] });
  }

  #decode(value: Json): Json {
    return this.#quirk === 'numbers as text' && typeof value === 'number' ? String(value) : value;
  }

  #fail(error: DmiError): void {
    this.#lost ??= error;
    this.#lose(error);
    this.#waiting?.settle(error);
    this.#wire.end();
  }
}

const LINE = v.union([
  v.object({
    id: v.number(),
    of: v.array(v.looseObject({ value: v.optional(v.unknown()) })),
  }),
  v.object({ told: v.string(), value: v.unknown() }),
]);
