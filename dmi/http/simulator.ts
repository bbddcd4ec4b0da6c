/** A pretend device derived from its visitors: they say what is got, where in it the value stands and how it is set. */
import process from 'node:process';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { DmiError } from '../errors.ts';
import type { SimulatedDevice, SimulatedProperty, Simulator } from '../simulator.ts';
import type { Json, Value } from '../value.ts';
import { between } from '../wire/template.ts';
import { extract, put } from './pointer.ts';
import { decodeJson, encodeJson, type HttpVisitor } from './visitor.ts';

type Property = SimulatedProperty<HttpVisitor>;

/** What was asked of a pretend device. */
export interface HttpAsked {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** Absent where none came, or no JSON. */
  readonly body?: Json;
}

/** What it answers; default status 200. */
export interface HttpTold {
  readonly status?: number;
  readonly json?: Json;
}

const MAX_BODY = 1_048_576;

/** `export const simulator = httpSimulator()`. */
export function httpSimulator(): Simulator<unknown, HttpVisitor> {
  return {
    simulate({ properties }) {
      return new HttpDevice(properties);
    },
  };
}

/** Answers each request on these streams. For pretend devices that visitors do not describe. */
export function answerHttp(respond: (asked: HttpAsked) => HttpTold): {
  accept(stream: Duplex): void;
  close(): void;
} {
  // Only where a device is pretended: on the edge it would cost a megabyte.
  const { createServer } = process.getBuiltinModule('node:http');
  const server: Server = createServer((request, response) => {
    answered(request, response, respond).catch((error: Error) => {
      // A mistake of whoever pretends: said where it shows.
      response.writeHead(500).end(JSON.stringify({ error: error.message }));
    });
  });
  const open = new Set<Duplex>();
  return {
    accept(stream) {
      open.add(stream);
      stream.once('close', () => open.delete(stream));
      stream.on('error', () => stream.destroy());
      server.emit('connection', stream);
    },
    close() {
      for (const stream of open) stream.destroy();
    },
  };
}

async function answered(
  request: IncomingMessage,
  response: ServerResponse,
  respond: (asked: HttpAsked) => HttpTold,
): Promise<void> {
  const { method = 'GET', url: path = '/' } = request;
  const body = await bodyOf(request).catch(() => 'wrong' as const);
  const asked = { method, path, ...(body !== undefined && { body }) };
  const told = body === 'wrong' ? { status: 400, json: { error: 'no JSON' } } : respond(asked);
  const text = JSON.stringify(told.json ?? null);
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
  response.writeHead(told.status ?? 200, headers).end(text);
}

/** @throws when it is no JSON, too long, or cut short */
async function bodyOf(request: IncomingMessage): Promise<Json | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Buffer).length;
    if (length > MAX_BODY) throw new Error('too long');
    chunks.push(chunk as Buffer);
  }
  const text = Buffer.concat(chunks).toString();
  return text === '' ? undefined : (JSON.parse(text) as Json);
}

class HttpDevice implements SimulatedDevice {
  readonly #properties: readonly Property[];
  readonly #values = new Map<string, Value>();
  readonly #server = answerHttp((asked) => this.#respond(asked));

  constructor(properties: readonly Property[]) {
    this.#properties = properties;
    for (const { name, value } of properties) this.set(name, value);
  }

  accept(stream: Duplex): void {
    this.#server.accept(stream);
  }

  get(property: string): Value {
    return this.#values.get(property) ?? null;
  }

  set(property: string, value: Value): void {
    const visitor = this.#properties.find(({ name }) => name === property)?.visitor;
    if (visitor === undefined) throw new Error(`this device has no property "${property}"`);
    // What JSON cannot say must fail here, not when it is asked for.
    encodeJson(visitor, value);
    this.#values.set(property, value);
  }

  close(): void {
    this.#server.close();
  }

  #respond(asked: HttpAsked): HttpTold {
    for (const property of this.#properties) {
      const value = wanted(property.visitor, asked);
      if (value !== undefined) return this.#take(property, value);
    }
    const told = this.#properties.filter(({ visitor }) => visitor.path === asked.path);
    if (asked.method !== 'GET' || told.length === 0) {
      return { status: 404, json: { error: 'there is no such thing' } };
    }
    let document: Json | undefined;
    for (const { name, visitor } of told) {
      document = put(document, visitor.pointer, encodeJson(visitor, this.get(name)));
    }
    return { json: document ?? null };
  }

  #take({ name, visitor }: Property, json: Json): HttpTold {
    try {
      this.set(name, decodeJson(visitor, json));
      return { json: { ok: true } };
    } catch (error) {
      if (error instanceof DmiError) return { status: 400, json: { error: 'not such a value' } };
      throw error;
    }
  }
}

/** The value that a request sets this property to. */
function wanted({ set }: HttpVisitor, { method, path, body }: HttpAsked): Json | undefined {
  if (set === undefined || set.method !== method) return undefined;
  if (set.body !== undefined && !set.path.includes('{}')) {
    return path === set.path && body !== undefined ? extract(set.body, body) : undefined;
  }
  const text = between(set.path, path);
  return text === undefined ? undefined : plain(decodeURIComponent(text));
}

/** In a path a value is text: a number, true and false are what they look like. */
function plain(text: string): Json {
  return /^(-?\d+(\.\d+)?([eE][+-]?\d+)?|true|false)$/.test(text)
    ? (JSON.parse(text) as Json)
    : text;
}
