/** One open tiny device: the part of the tiny mapper that most of its quirks are in. */
import type { Duplex } from 'node:stream';
import * as v from 'valibot';
import {
  type Connection,
  type DmiError,
  Garbled,
  type Json,
  type MapperContext,
  Misconfigured,
  type Order,
  type Reading,
  Refused,
  type Sink,
  Unreachable,
  type Value,
  type Wish,
} from '../index.ts';
import type { Quirk, Settings, Visitor } from './tiny.fixture.ts';

type Answer = {
  readonly id: number;
  readonly of: { readonly name?: string; readonly value?: Json; readonly no?: string }[];
};

const TIMEOUT_MS = 2000;
const SLOW_MS = 300;
const PATIENT_MS = 50;
const MAX_LINE = 65_536;
/** What never gives up by itself. */
const DEAF: ReadonlySet<Quirk | undefined> = new Set([
  'ignores abort',
  'does not hear a hang-up',
  'does not hear a cut',
]);

export class TinyConnection implements Connection<Visitor> {
  readonly #wire: Duplex;
  readonly #settings: Settings;
  readonly #context: MapperContext;
  readonly #quirk: Quirk | undefined;
  /** What a wrong mapper answers without asking. */
  readonly #known = new Map<string, Value>();
  #rest = '';
  #id = 0;
  #answered = 0;
  #spare: Answer | undefined;
  #lost: DmiError | undefined;
  #closed = false;
  #watch: { keys: readonly string[]; sink: Sink } | undefined;
  #watches = 0;
  #waiting: { id: number; settle: (answer: Answer | DmiError) => void } | undefined;

  constructor(wire: Duplex, settings: Settings, context: MapperContext, quirk: Quirk | undefined) {
    this.#wire = wire;
    this.#settings = settings;
    this.#context = context;
    this.#quirk = quirk;
    if (quirk !== 'only polls')
      this.subscribe = (wishes, sink, signal) => this.#subscribe(wishes, sink, signal);
    const gone = (): void => {
      if (quirk === 'does not hear a cut') return;
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

  /** Whether the device is there at all. */
  async greet(signal: AbortSignal): Promise<void> {
    await this.#ask({ get: [] }, signal);
  }

  async list(signal: AbortSignal): Promise<Readonly<Record<string, Json>>> {
    const { of } = await this.#ask({ list: true }, signal);
    return Object.fromEntries(of.map(({ name = '', value = null }) => [name, value]));
  }

  async call(
    { key }: Visitor,
    input: readonly Value[],
    signal: AbortSignal,
  ): Promise<readonly Value[]> {
    const request = { run: key, with: input };
    if (this.#quirk === 'calls twice') await this.#ask(request, signal);
    const { of } = await this.#ask(request, signal).catch((error: unknown) => {
      if (this.#quirk === 'repeats a lost call') void this.#repeat(request);
      throw error;
    });
    const no = of.find((each) => each.no !== undefined)?.no;
    if (no !== undefined && this.#quirk !== 'a refused call is a value') {
      throw new Refused('TINY_NO', no);
    }
    return of.map(({ value = null }) => value);
  }

  async #repeat(request: object): Promise<void> {
    const wire = await this.#context.dial(this.#settings.address, new AbortController().signal);
    wire.end(`${JSON.stringify({ id: 0, ...request })}\n`);
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

  async writeMany(orders: readonly Order<Visitor>[], signal: AbortSignal): Promise<Reading[]> {
    const [first, second] = orders;
    const readings: Reading[] = [];
    if (first === undefined) return readings;
    readings.push({ ok: true, value: await this.write(first.visitor, first.value, signal) });
    if (second === undefined) return readings;
    if (this.#quirk !== 'answers for what it did not write') {
      await this.write(second.visitor, second.value, signal);
    }
    return [...readings, { ok: true, value: second.value }];
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
    const no = of[0]?.no;
    if (no !== undefined && this.#quirk !== 'a refused write is a value') {
      throw new Refused('TINY_NO', no);
    }
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
    if (this.#quirk === 'close cuts the wire for all') this.#wire.destroy(new Error('closed'));
    const end = new Promise<void>((resolve) => this.#wire.once('end', resolve));
    this.#wire.end();
    if (this.#quirk === 'close waits for an end that never comes') await end;
  }

  async #ask(request: object, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted();
    if (this.#lost !== undefined) throw this.#lost;
    const id = ++this.#id;
    const { promise, resolve } = Promise.withResolvers<Answer | DmiError>();
    this.#waiting = { id, settle: resolve };
    const late = (): void => {
      if (this.#quirk === 'makes up a value for silence') this.#makeUp();
      resolve(new Unreachable('TINY_SILENT', 'no answer'));
    };
    const aborted = (): void => {
      if (this.#quirk === 'slow to abort') setTimeout(late, SLOW_MS);
      else late();
    };
    const cancel = DEAF.has(this.#quirk)
      ? () => undefined
      : this.#context.clock.after(TIMEOUT_MS, late);
    if (this.#quirk !== 'ignores abort') signal.addEventListener('abort', aborted);
    const { unit } = this.#settings;
    const addressed = unit === undefined || this.#quirk === 'ignores the unit' ? {} : { unit };
    const begun = this.#context.clock.monotonic();
    this.#wire.write(`${JSON.stringify({ id, ...addressed, ...request })}\n`);
    if (this.#spare !== undefined) resolve(this.#spare);
    this.#spare = undefined;
    const answer = await promise;
    const tookMs = this.#context.clock.monotonic() - begun;
    if (this.#quirk === 'drops late answers' && tookMs > PATIENT_MS) {
      throw new Unreachable('TINY_SILENT', 'no answer');
    }
    cancel();
    this.#waiting = undefined;
    if (this.#quirk !== 'leaves listeners') signal.removeEventListener('abort', aborted);
    if (answer instanceof Error) throw answer;
    return answer;
  }

  #take(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n');
    if (this.#quirk === 'takes each chunk for an answer' && chunk !== '\n') lines.push('');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > MAX_LINE && this.#quirk !== 'keeps whatever comes') {
      this.#rest = '';
      return this.#fail(new Garbled('TINY_FLOOD', 'a line without an end'));
    }
    for (const line of lines) this.#answer(line);
  }

  #answer(line: string): void {
    try {
      const answer = v.parse(LINE, JSON.parse(line));
      if ('told' in answer) {
        if (this.#quirk !== 'tells no change') this.#tell(answer.told, answer.value as Json);
      } else if (answer.id === this.#waiting?.id || this.#quirk === 'takes any answer') {
        this.#waiting?.settle(answer as Answer);
      }
      if (this.#quirk === 'keeps answers for later') this.#later(answer as Answer);
    } catch (cause) {
      if (this.#quirk === 'makes up a value for nonsense') return this.#makeUp();
      if (line !== '') this.#fail(new Garbled('TINY_NONSENSE', 'not an answer', { cause }));
    }
  }

  /** The second time that one comes it is kept. */
  #later(answer: Answer): void {
    if (answer.id === this.#answered) this.#spare = answer;
    this.#answered = answer.id;
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
