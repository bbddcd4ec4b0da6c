/**
 * HTTP/1.1 as a client needs it of devices (pure): a request as bytes, an answer out of them. RFC 9112. Lenient where
 * small servers are careless (bare line feeds, no reason, no length), strict where a value could be cut in half.
 */
import { Garbled } from '../errors.ts';

export interface Request {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly host: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  /** Names in lower case; of several, the last. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** Whether the server keeps the connection for the next request. */
  readonly keeps: boolean;
  /** Whether the server said how long the body is: without that nobody can tell a whole one from a half. */
  readonly sized: boolean;
}

/** `more`: not all of it has come. */
export type Parsed =
  | { readonly kind: 'more' }
  | { readonly kind: 'answer'; readonly answer: Answer };

const MORE: Parsed = { kind: 'more' };
const MAX_HEAD = 16_384;
const MAX_INTERIM = 16;
/** Chunks longer than this name are nonsense. */
const CHUNK_HEAD = 256;

/** A request as bytes. */
export function encodeRequest({ method, path, host, headers, body }: Request): Buffer {
  const own: Record<string, string> = { host, accept: 'application/json' };
  if (body !== undefined) {
    own['content-type'] = 'application/json';
    own['content-length'] = String(Buffer.byteLength(body));
  }
  const lines = Object.entries({ ...own, ...headers }).map(([name, value]) => `${name}: ${value}`);
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body ?? ''}`);
}

/**
 * The answer at the front of what came for one request.
 * @throws Garbled HTTP_SYNTAX, HTTP_LARGE, HTTP_EXTRA
 */
export function parseAnswer(bytes: Buffer, ended: boolean, maxBytes: number): Parsed {
  let answers = bytes;
  // RFC 9110, 15.2: interim answers come before the answer.
  for (let interim = 0; interim <= MAX_INTERIM; interim++) {
    const parsed = parseOne(answers, ended, maxBytes);
    if (!Buffer.isBuffer(parsed)) return parsed;
    answers = parsed;
  }
  throw new Garbled('HTTP_SYNTAX', 'interim answers come without end');
}

/** An answer, or what comes after an interim one. */
function parseOne(bytes: Buffer, ended: boolean, maxBytes: number): Parsed | Buffer {
  const head = /\r?\n\r?\n/.exec(bytes.toString('latin1', 0, MAX_HEAD));
  if (head === null) {
    // What is no HTTP is told at once, not after a deadline.
    if (!/^H?T?T?P?(\/.*)?$/s.test(bytes.toString('latin1', 0, 5))) throw notHttp();
    if (bytes.length >= MAX_HEAD)
      throw new Garbled('HTTP_LARGE', 'the head of the answer is too long');
    return MORE;
  }
  const { status, headers, version } = parseHead(bytes.toString('latin1', 0, head.index));
  const rest = bytes.subarray(head.index + head[0].length);
  if (status < 200) return rest;
  const body = takeBody({ status, headers, rest, ended, maxBytes });
  if (body === undefined) return MORE;
  const connection = headers.get('connection')?.toLowerCase() ?? '';
  const keeps =
    !ended &&
    (version === '1.1' ? !connection.includes('close') : connection.includes('keep-alive'));
  const sized = headers.has('content-length') || headers.has('transfer-encoding');
  return { kind: 'answer', answer: { status, headers, body, keeps, sized } };
}

interface Head {
  readonly version: string;
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
}

function parseHead(text: string): Head {
  const [first = '', ...lines] = text.split(/\r?\n/);
  const [, version, status] = /^HTTP\/(1\.[01]) ([1-5]\d\d)(?: .*)?$/.exec(first) ?? [];
  if (version === undefined) throw notHttp();
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === undefined) throw new Garbled('HTTP_SYNTAX', 'a line of the head is no header');
    headers.set(name.toLowerCase(), value ?? '');
  }
  return { version, status: Number(status), headers };
}

interface Rest {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly rest: Buffer;
  readonly ended: boolean;
  readonly maxBytes: number;
}

/** RFC 9112, 6.3: how long a body is. */
function takeBody({ status, headers, rest, ended, maxBytes }: Rest): Buffer | undefined {
  if (status === 204 || status === 304) return only(rest, 0);
  const coding = headers.get('transfer-encoding')?.toLowerCase();
  if (coding === 'chunked') return takeChunks(rest, maxBytes);
  if (coding !== undefined) throw new Garbled('HTTP_SYNTAX', `cannot read the coding "${coding}"`);
  const length = headers.get('content-length');
  if (length === undefined) {
    if (rest.length > maxBytes) throw tooLarge(maxBytes);
    return ended ? rest : undefined;
  }
  if (!/^\d{1,15}$/.test(length)) throw new Garbled('HTTP_SYNTAX', 'the length is no number');
  if (Number(length) > maxBytes) throw tooLarge(maxBytes);
  return rest.length < Number(length) ? undefined : only(rest, Number(length));
}

function takeChunks(bytes: Buffer, maxBytes: number): Buffer | undefined {
  const chunks: Buffer[] = [];
  let [rest, total] = [bytes, 0];
  for (;;) {
    const line = chunkLine(rest);
    if (line === undefined) return undefined;
    rest = rest.subarray(line.bytes);
    if (line.size === 0) return trailer(rest) ? Buffer.concat(chunks) : undefined;
    total += line.size;
    if (total > maxBytes) throw tooLarge(maxBytes);
    if (rest.length < line.size + 2) return undefined;
    chunks.push(rest.subarray(0, line.size));
    rest = rest.subarray(line.size + chunkEnd(rest.toString('latin1', line.size, line.size + 2)));
  }
}

function chunkLine(bytes: Buffer): { readonly size: number; readonly bytes: number } | undefined {
  const end = bytes.indexOf('\n');
  if (end < 0 || end > CHUNK_HEAD) {
    if (bytes.length <= CHUNK_HEAD) return undefined;
    throw new Garbled('HTTP_SYNTAX', 'a chunk has no length');
  }
  const digits = /^([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?\r?$/.exec(
    bytes.toString('latin1', 0, end),
  )?.[1];
  if (digits === undefined) {
    throw new Garbled('HTTP_SYNTAX', 'the length of a chunk is no number');
  }
  return { size: Number.parseInt(digits, 16), bytes: end + 1 };
}

function chunkEnd(text: string): number {
  if (text === '\r\n') return 2;
  if (text.startsWith('\n')) return 1;
  throw new Garbled('HTTP_SYNTAX', 'a chunk is longer than it says');
}

/** Whether the lines after the last chunk have come. */
function trailer(bytes: Buffer): boolean {
  const text = bytes.toString('latin1');
  const end = /^(?:[^\r\n]+\r?\n)*\r?\n/.exec(text);
  if (end === null) {
    if (text.length > MAX_HEAD)
      throw new Garbled('HTTP_LARGE', 'what follows the answer is too long');
    return false;
  }
  only(bytes, end[0].length);
  return true;
}

/** Nobody asked for more than one answer. */
function only(bytes: Buffer, length: number): Buffer {
  if (bytes.length <= length) return bytes;
  throw new Garbled('HTTP_EXTRA', 'more came than the answer');
}

function notHttp(): Garbled {
  return new Garbled('HTTP_SYNTAX', 'what answers there does not speak HTTP/1: check the port');
}

function tooLarge(maxBytes: number): Garbled {
  return new Garbled('HTTP_LARGE', `the answer has more than ${maxBytes} bytes`);
}
