/**
 * Serves a recording as the device that it was made of.
 *
 * A request is answered by what was answered to the same request: the first time by the first of its recorded answers, then by the
 * next, and by the last from then on; so a mapper may ask in another order and more often than it was recorded. Requests are the same when
 * all their bytes are, but those that `echoes` names: a transaction number is not compared, and is copied into the answer. What is
 * asked beyond that is a fault, told with the first byte that differs from the nearest recorded request, and cuts the wire.
 */
import type { Duplex } from 'node:stream';
import type { Clock } from '../mapper.ts';
import type { Recording } from './recording.ts';

/** Bytes of a request that are not compared, and that the answer repeats at the same place. */
export interface Echo {
  readonly at: number;
  readonly length: number;
}

export interface ReplayOptions {
  /** Default: none. For Modbus TCP: `[{ at: 0, length: 2 }]`. */
  readonly echoes?: readonly Echo[];
  /** With it, answers come as late as they were recorded; else at once. */
  readonly clock?: Pick<Clock, 'after'>;
}

export interface Replay {
  /** Serves one wire: for `fakeContext({ wire: replay.serve })`, or a socket. */
  readonly serve: (wire: Duplex) => void;
  /** What was asked that was never recorded. */
  readonly faults: readonly string[];
  /** Recorded requests that were not asked yet, in hex. */
  readonly unasked: readonly string[];
}

interface Answer {
  readonly afterUs: number;
  readonly bytes: Buffer;
}

interface Exchange {
  readonly request: Buffer;
  /** Of each time that it was asked. */
  readonly answers: Answer[][];
  asked: number;
}

/** Makes a device of a recording. */
export function replayWire({ events }: Recording, options: ReplayOptions = {}): Replay {
  const { greetings, exchanges } = exchangesOf(events, options.echoes ?? []);
  const faults: string[] = [];
  let wires = 0;
  return {
    faults,
    get unasked() {
      const left = exchanges.filter(({ asked }) => asked === 0);
      return left.map(({ request }) => request.toString('hex'));
    },
    serve(wire) {
      send(wire, greetings[Math.min(wires++, greetings.length - 1)] ?? [], options);
      let held: Buffer = Buffer.alloc(0);
      wire.on('error', () => wire.destroy());
      wire.on('end', () => wire.end());
      wire.on('data', (chunk: Buffer) => {
        held = Buffer.concat([held, chunk]);
        for (let next = match(exchanges, held, options); next !== undefined;) {
          if ('fault' in next) {
            faults.push(next.fault);
            held = Buffer.alloc(0);
            return void wire.destroy(new Error(next.fault));
          }
          const request = held.subarray(0, next.request.length);
          held = held.subarray(next.request.length);
          const answers = next.answers[Math.min(next.asked, next.answers.length - 1)] ?? [];
          next.asked += 1;
          send(wire, echoed(answers, request, options.echoes ?? []), options);
          next = match(exchanges, held, options);
        }
      });
    },
  };
}

interface Exchanges {
  /** What each wire said before it was asked. */
  readonly greetings: Answer[][];
  readonly exchanges: Exchange[];
}

function exchangesOf(events: Recording['events'], echoes: readonly Echo[]): Exchanges {
  const book = new Book(echoes);
  for (const event of events) {
    if (event.kind === 'open') book.open();
    else if (event.kind === 'in') book.answer(event.us, event.bytes);
    else if (event.kind === 'out') book.ask(event.us, event.bytes);
    else book.close();
  }
  book.end();
  return { greetings: book.greetings, exchanges: [...book.exchanges.values()] };
}

/** Sorts what was recorded into requests and their answers. */
class Book {
  readonly greetings: Answer[][] = [];
  readonly exchanges = new Map<string, Exchange>();
  readonly #echoes: readonly Echo[];
  #request: { readonly bytes: Buffer; readonly us: number } | undefined;
  #answers: Answer[] = [];

  constructor(echoes: readonly Echo[]) {
    this.#echoes = echoes;
  }

  open(): void {
    this.close();
    this.greetings.push(this.#answers);
  }

  close(): void {
    this.#request = undefined;
    this.#answers = [];
  }

  /** Whether the last request would have been answered is not known: the recording ended before. */
  end(): void {
    if (this.#request !== undefined && this.#answers.length === 0)
      this.#forget(this.#request.bytes);
  }

  answer(us: number, bytes: Buffer): void {
    this.#answers.push({ afterUs: us - (this.#request?.us ?? us), bytes });
  }

  ask(us: number, bytes: Buffer): void {
    // What follows without an answer between is the rest of the same request.
    const begun = this.#answers.length === 0 ? this.#request?.bytes : undefined;
    if (begun !== undefined) this.#forget(begun);
    const request = begun === undefined ? bytes : Buffer.concat([begun, bytes]);
    const key = this.#key(request);
    const known = this.exchanges.get(key) ?? { request, answers: [], asked: 0 };
    this.exchanges.set(key, known);
    this.#request = { bytes: request, us };
    this.#answers = [];
    known.answers.push(this.#answers);
  }

  #forget(request: Buffer): void {
    const known = this.exchanges.get(this.#key(request));
    known?.answers.pop();
    if (known?.answers.length === 0) this.exchanges.delete(this.#key(request));
  }

  /** The request without what is not compared. */
  #key(request: Buffer): string {
    const copy = Buffer.from(request);
    for (const { at, length } of this.#echoes) copy.fill(0, at, at + length);
    return copy.toString('hex');
  }
}

function match(
  exchanges: readonly Exchange[],
  held: Buffer,
  { echoes = [] }: ReplayOptions,
): Exchange | { readonly fault: string } | undefined {
  if (held.length === 0) return undefined;
  let nearest: { readonly exchange: Exchange; readonly at: number } | undefined;
  for (const exchange of exchanges) {
    const at = differs(exchange.request, held, echoes);
    if (at === exchange.request.length) return exchange;
    // All of it so far: more may come.
    if (at === held.length) return undefined;
    if (nearest === undefined || at > nearest.at) nearest = { exchange, at };
  }
  return { fault: faultOf(held, nearest) };
}

function faultOf(
  held: Buffer,
  nearest: { readonly exchange: Exchange; readonly at: number } | undefined,
): string {
  const asked = `"${held.subarray(0, 64).toString('hex')}" was asked`;
  if (nearest === undefined) return `${asked}, and nothing was recorded`;
  const { exchange, at } = nearest;
  const recorded = exchange.request.subarray(0, 64).toString('hex');
  const bytes = `${hex(held, at)} instead of ${hex(exchange.request, at)}`;
  return `${asked}, which was not recorded: the nearest is "${recorded}", from which byte ${at} differs (${bytes})`;
}

function hex(bytes: Buffer, at: number): string {
  return bytes.subarray(at, at + 1).toString('hex');
}

/** The first byte at which a recorded request and what was asked are not the same. */
function differs(recorded: Buffer, asked: Buffer, echoes: readonly Echo[]): number {
  const length = Math.min(recorded.length, asked.length);
  for (let at = 0; at < length; at++) {
    if (recorded[at] !== asked[at] && !isEchoed(echoes, at)) return at;
  }
  return length;
}

function isEchoed(echoes: readonly Echo[], at: number): boolean {
  return echoes.some((echo) => at >= echo.at && at < echo.at + echo.length);
}

/** The answer with the asker's own bytes where they are repeated; in its first piece. */
function echoed(
  [first, ...more]: readonly Answer[],
  request: Buffer,
  echoes: readonly Echo[],
): readonly Answer[] {
  if (first === undefined) return [];
  const bytes = Buffer.from(first.bytes);
  for (const { at, length } of echoes) request.copy(bytes, at, at, at + length);
  return [{ ...first, bytes }, ...more];
}

function send(wire: Duplex, answers: readonly Answer[], { clock }: ReplayOptions): void {
  for (const { afterUs, bytes } of answers) {
    const now = (): void => {
      if (!wire.destroyed && !wire.writableEnded) wire.write(bytes);
    };
    if (clock === undefined || afterUs === 0) now();
    else clock.after(afterUs / 1000, now);
  }
}
