/** JSON over HTTP/1.1 on dialled streams: one request in flight, each with its deadline, the connection kept between. */
import type { Duplex } from 'node:stream';
import { type DmiError, Garbled, Misconfigured, Refused, Unreachable } from '../errors.ts';
import type { MapperContext } from '../mapper.ts';
import type { Json } from '../value.ts';
import { dialWithin, quoted, Turns } from '../wire/dial.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { type Answer, encodeRequest, parseAnswer, type Parsed } from './codec.ts';

export interface HttpOptions {
  /** How long an answer may take; default 5000. */
  readonly timeoutMs?: number;
  /** The longest answer that is taken; default 256 KiB. */
  readonly maxBytes?: number;
  /** Sent with each request, such as `authorization`. Never in errors or logs. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** One open stream, and what came on it since the last request. */
interface Wire {
  readonly stream: Duplex;
  held: Buffer;
  ended: boolean;
  /** Told at whatever happens. */
  changed: () => void;
  fault: Error | undefined;
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
}

/** {@link Http.send}: how, and with what body. */
export interface Sending {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'GET' | 'DELETE';
  /** Absent: none is sent. */
  readonly body?: Json;
}

/** `http://HOST[:PORT]`, as settings say it. */
const ADDRESS = /^http:\/\/(\[[0-9a-fA-F:.]+\]|[^/:?#@[\]\s]+)(?::(\d{1,5}))?\/?$/;

/**
 * Invariants: at most one request is in flight. A stream is used again only when its answer was whole and nothing
 * followed it. After a request was lost, everything is: the runtime decides when to try again.
 */
export class Http {
  readonly #context: Pick<MapperContext, 'dial' | 'clock'>;
  readonly #host: string;
  readonly #dial: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeoutMs: number;
  readonly #maxBytes: number;
  readonly #turns = new Turns();
  #wire: Wire | undefined;
  #lost: DmiError | undefined;

  private constructor(
    address: string,
    context: Pick<MapperContext, 'dial' | 'clock'>,
    options: HttpOptions,
  ) {
    const { host, dial } = httpTarget(address);
    this.#host = host;
    this.#dial = dial;
    this.#context = context;
    this.#headers = options.headers ?? {};
    this.#timeoutMs = options.timeoutMs ?? 5000;
    this.#maxBytes = options.maxBytes ?? 262_144;
    if (Object.entries(this.#headers).some((header) => /[\r\n]/.test(header.join('')))) {
      throw new Misconfigured('HTTP_HEADER', 'a header must be one line');
    }
  }

  /**
   * Dials `http://HOST[:PORT]`.
   * @throws Unreachable when it does not answer in time; Misconfigured HTTP_ADDRESS, HTTP_HEADER
   */
  static async open(
    address: string,
    context: Pick<MapperContext, 'dial' | 'clock'>,
    options: HttpOptions,
    signal: AbortSignal,
  ): Promise<Http> {
    const http = new Http(address, context, options);
    await http.#connected(signal);
    return http;
  }

  /**
   * The JSON that the device has at this path.
   * @throws Refused HTTP_STATUS_n when it says no; Unreachable when it says nothing in time or is gone; Garbled when it
   * says no JSON, or no HTTP; the signal's reason as soon as that aborts
   */
  async get(path: string, signal: AbortSignal): Promise<Json> {
    return (await this.#exchange({ method: 'GET', path }, signal)) ?? null;
  }

  /** Sends; `undefined` when the answer is empty or no JSON, as many are. @throws as {@link get} does */
  async send(
    path: string,
    { method, body }: Sending,
    signal: AbortSignal,
  ): Promise<Json | undefined> {
    const text = body === undefined ? {} : { body: JSON.stringify(body) };
    return this.#exchange({ method, path, ...text }, signal);
  }

  /** Gives back the wire; never throws. */
  async close(): Promise<void> {
    this.#lost ??= new Unreachable('HTTP_CLOSED', 'the connection was closed');
    this.#wire?.stream.end();
    this.#wire = undefined;
    return Promise.resolve();
  }

  #exchange(asked: Asked, signal: AbortSignal): Promise<Json | undefined> {
    if (!/^\/[\x21-\x7e]*$/.test(asked.path)) {
      const message = `${quoted(asked.path)} is no path: it begins with / and has no blanks`;
      return Promise.reject(new Misconfigured('HTTP_PATH', message));
    }
    return this.#turns.take(signal, async () => {
      if (this.#lost !== undefined) throw this.#lost;
      try {
        return judged(asked, await this.#answer(asked, signal));
      } catch (error) {
        if (!(error instanceof Refused)) this.#drop(error);
        throw error;
      }
    });
  }

  /** A kept connection that the server has closed meanwhile is no fault: it is tried once more on a fresh one. */
  async #answer(asked: Asked, signal: AbortSignal): Promise<Answer> {
    const kept = this.#wire !== undefined && !this.#wire.ended && this.#wire.held.length === 0;
    const wire = await this.#connected(signal);
    try {
      return await this.#ask(wire, asked, signal);
    } catch (error) {
      const stale = kept && wire.held.length === 0 && wire.ended && asked.method === 'GET';
      if (!stale || signal.aborted) throw error;
      return this.#ask(await this.#connected(signal), asked, signal);
    }
  }

  async #connected(signal: AbortSignal): Promise<Wire> {
    const before = this.#wire;
    if (before !== undefined && !before.ended && before.held.length === 0) return before;
    before?.stream.destroy();
    const dial = { address: this.#dial, timeoutMs: this.#timeoutMs, code: 'HTTP_TIMEOUT' };
    const wire = listened(await dialWithin(dial, this.#context, signal), this.#maxBytes);
    this.#wire = wire;
    return wire;
  }

  async #ask(wire: Wire, { method, path, body }: Asked, signal: AbortSignal): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const message = `no answer to ${method} ${path} within ${this.#timeoutMs} ms`;
    const cancel = this.#context.clock.after(this.#timeoutMs, () =>
      reject(new Unreachable('HTTP_TIMEOUT', message)),
    );
    wire.changed = () => {
      try {
        const parsed: Parsed = parseAnswer(wire.held, wire.ended, this.#maxBytes);
        if (parsed.kind === 'answer') resolve(parsed.answer);
        else if (wire.ended) reject(closed(wire.fault));
      } catch (error) {
        reject(error);
      }
    };
    const host = this.#host;
    wire.stream.write(
      encodeRequest({
        method,
        path,
        host,
        headers: this.#headers,
        ...(body !== undefined && { body }),
      }),
    );
    if (wire.ended) wire.changed();
    try {
      const answer = await unlessAborted(promise, signal);
      wire.held = Buffer.alloc(0);
      if (!answer.keeps) {
        wire.ended = true;
        wire.stream.end();
      }
      return answer;
    } finally {
      wire.changed = () => undefined;
      cancel();
    }
  }

  #drop(error: unknown): void {
    const gone = new Unreachable('HTTP_CLOSED', 'the request before was given up', {
      cause: error,
    });
    this.#lost ??= error instanceof Unreachable || error instanceof Garbled ? error : gone;
    this.#wire?.stream.destroy();
    this.#wire = undefined;
  }
}

/**
 * What to dial for an address, and what to call it in requests; for the `port` of a mapper too.
 * @throws Misconfigured HTTP_ADDRESS
 */
export function httpTarget(address: string): { readonly host: string; readonly dial: string } {
  const [, host, port = '80'] = ADDRESS.exec(address) ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) {
    throw new Misconfigured('HTTP_ADDRESS', 'expected http://HOST or http://HOST:PORT');
  }
  return { host: port === '80' ? host : `${host}:${port}`, dial: `tcp://${host}:${port}` };
}

function listened(stream: Duplex, maxBytes: number): Wire {
  const wire: Wire = {
    stream,
    held: Buffer.alloc(0),
    ended: false,
    changed: () => undefined,
    fault: undefined,
  };
  const end = (fault?: Error): void => {
    wire.fault ??= fault;
    if (wire.ended) return;
    wire.ended = true;
    wire.changed();
  };
  stream.on('data', (chunk: Buffer) => {
    // More than any answer may have: what nobody reads is not kept.
    if (wire.held.length <= 2 * maxBytes + 65_536) wire.held = Buffer.concat([wire.held, chunk]);
    wire.changed();
  });
  stream.on('error', end);
  stream.on('end', () => end());
  stream.on('close', () => end());
  return wire;
}

function closed(cause: Error | undefined): Unreachable {
  const why = cause === undefined ? 'the device closed the connection' : cause.message;
  return new Unreachable('HTTP_CLOSED', `no whole answer: ${why}`, { cause });
}

/** @throws Refused, Garbled */
function judged({ method, path }: Asked, { status, body, sized }: Answer): Json | undefined {
  if (status === 401 || status === 403) {
    const message = `${method} ${path} answered ${status}: check the user, password or key in the settings`;
    throw new Refused(`HTTP_STATUS_${status}`, message);
  }
  if (status >= 300) {
    throw new Refused(`HTTP_STATUS_${status}`, `${method} ${path} answered ${status}`);
  }
  try {
    const value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as Json;
    // Half of 21.5 is a number too; half of an object is not one.
    if (sized || typeof value !== 'number') return value;
  } catch (cause) {
    if (method !== 'GET') return undefined;
    throw new Garbled('HTTP_NOT_JSON', `GET ${path} answered no JSON`, { cause });
  }
  throw new Garbled('HTTP_NOT_JSON', `${method} ${path} answered a number that may be cut short`);
}
