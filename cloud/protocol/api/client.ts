/** A small typed client of the API, over http, https or a unix socket. */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Json } from '@limpet/dmi';
import type { CapturePage, Kind, Resource } from '@limpet/dmi/manifest';
import type { Document, SampleList, Target } from './backend.ts';
import { objectLines } from './lines.ts';
import { parsed, textOf } from './answer-text.ts';
import { GROUP_VERSION, KINDS } from './kinds.ts';
import type { OutcomeList } from './outcomes.ts';
import type { QueryAnswer, QueryAsked } from './query.ts';
import type { StandingAsked, StandingEvent } from './standing.ts';
import { eventsIn, QUERY_PATH } from './standing-text.ts';
import { ApiError, errorOfStatus } from './status.ts';
import type { WatchEvent } from './watch-events.ts';
import type { Load, Why } from './why.ts';

/** Where the API is: `url`, or the unix socket of an edge. */
export interface ApiClientOptions {
  /** `http://HOST:PORT` or `https://HOST:PORT`. */
  readonly url?: string;
  readonly socketPath?: string;
  /** Sent as bearer token; never logged, never part of an error. */
  readonly token?: string;
  /** PEM: the authority to trust instead of the system's. */
  readonly ca?: string;
  /** How long an answer may take. Default 30 s; watches are not held to it. */
  readonly timeoutMs?: number;
}

/** What to list or watch. Selectors in Kubernetes' syntax. */
export interface Select {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface WatchSelect extends Select {
  /** Continue after this version; without it, everything there is comes first. */
  readonly resourceVersion?: string;
  readonly timeoutSeconds?: number;
}

/** The API could not be asked at all, or answered something that is not this API. */
export class ApiUnreachable extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ApiUnreachable';
    this.code = code;
  }
}

/** The server sends bookmarks every 15 s: one that is silent for this long is gone. */
const SILENT_MS = 60_000;
/** How much longer than a call an answer to it may take. */
const GIVING_UP_MS = 10_000;
const PAGE_ITEMS = 500;

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body?: Json;
  readonly type?: string;
  readonly silentMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Methods reject with `ApiError` (the server said no) or `ApiUnreachable` (nobody said anything). */
/** What the query of a property's past can say. */
export interface SamplesSelect {
  readonly since?: string;
  readonly from?: string;
  readonly to?: string;
  readonly bucket?: string;
  readonly limit?: string;
  readonly continue?: string;
}

export class ApiClient {
  readonly #options: ApiClientOptions;
  readonly #origin: URL;

  /** @throws TypeError when neither or a wrong `url` is given. */
  constructor(options: ApiClientOptions) {
    if (options.url === undefined && options.socketPath === undefined) {
      throw new TypeError('ApiClient: expected url or socketPath');
    }
    this.#options = options;
    this.#origin = new URL(options.url ?? 'http://localhost');
    if (!['http:', 'https:'].includes(this.#origin.protocol)) {
      throw new TypeError(
        `ApiClient: expected an http:// or https:// url, found ${this.#origin.protocol}//`,
      );
    }
  }

  /** Whether the service is there and well. */
  async healthy(signal?: AbortSignal): Promise<boolean> {
    try {
      const response = await this.#open({ method: 'GET', path: '/healthz', signal });
      return (await textOf(response)) === 'ok';
    } catch (error) {
      if (error instanceof ApiError || error instanceof ApiUnreachable) return false;
      throw error;
    }
  }

  /** All of them, in key order. `resourceVersion` is where a watch takes over. */
  async list(
    kind: Kind,
    select: Select = {},
    signal?: AbortSignal,
  ): Promise<{ items: Resource[]; resourceVersion: string }> {
    const items: Resource[] = [];
    let token: string | undefined;
    for (;;) {
      const query = queryOf({ ...select, limit: PAGE_ITEMS, continue: token });
      const path = collection(kind, select.namespace) + query;
      const page = (await this.#ask({ method: 'GET', path, signal })) as unknown as ListDocument;
      for (const item of page.items) items.push(item);
      token = page.metadata.continue;
      if (token === undefined) return { items, resourceVersion: page.metadata.resourceVersion };
    }
  }

  async get(target: Target, signal?: AbortSignal): Promise<Resource> {
    return this.#resource({ method: 'GET', path: item(target), signal });
  }

  /** Name and namespace are those of the document (without a namespace: `default`). */
  async create(
    doc: Resource | Document,
    signal?: AbortSignal,
    { dryRun = false }: { readonly dryRun?: boolean } = {},
  ): Promise<Resource> {
    const { kind, metadata } = doc as Resource;
    const namespace = KINDS[kind].namespaced ? (metadata.namespace ?? 'default') : undefined;
    const path = collection(kind, namespace) + queryOf({ dryRun: dryRun ? 'All' : undefined });
    return this.#resource({ method: 'POST', path, body: doc as Document, type: JSON_TYPE, signal });
  }

  async replace(target: Target, doc: Resource | Document, signal?: AbortSignal): Promise<Resource> {
    const body = doc as Document;
    return this.#resource({ method: 'PUT', path: item(target), body, type: JSON_TYPE, signal });
  }

  /** Merge patch (RFC 7386). */
  async patch(
    target: Target,
    patch: Document,
    options: { readonly expiresMs?: number } = {},
    signal?: AbortSignal,
  ): Promise<Resource> {
    const { expiresMs } = options;
    const query = queryOf({ expires: expiresMs === undefined ? undefined : `${expiresMs}ms` });
    const path = item(target) + query;
    const type = 'application/merge-patch+json';
    return this.#resource({ method: 'PATCH', path, body: patch, type, signal });
  }

  async delete(target: Target, signal?: AbortSignal): Promise<void> {
    await this.#ask({ method: 'DELETE', path: item(target), signal });
  }

  /** One page of a property's past. `since` and `bucket` are durations, `from` and `to` times of RFC 3339. */
  async samples(target: Target, property: string, select: SamplesSelect = {}): Promise<SampleList> {
    const path = `${item(target)}/samples/${encodeURIComponent(property)}${queryOf({ ...select })}`;
    return (await this.#ask({ method: 'GET', path })) as unknown as SampleList;
  }

  /** Runs a method of a device, once. @throws ApiError with `details.call` saying where it stopped */
  async call(
    target: Target,
    asked: { readonly method: string; readonly input: Document; readonly timeoutMs: number },
    signal?: AbortSignal,
  ): Promise<Document> {
    const { method, input, timeoutMs } = asked;
    const query = queryOf({ timeout: `${timeoutMs}ms` });
    const path = `${item(target)}/methods/${encodeURIComponent(method)}${query}`;
    // The server gives up first, and says where it stopped.
    const silentMs = timeoutMs + GIVING_UP_MS;
    const sent = { method: 'POST', path, body: { input }, type: JSON_TYPE, silentMs, signal };
    return (await this.#ask(sent))['output'] as Document;
  }

  /** What a node is busy with now. */
  async load(node: string, signal?: AbortSignal): Promise<Load> {
    const path = `${item({ kind: 'Node', name: node })}/load`;
    return (await this.#ask({ method: 'GET', path, signal })) as unknown as Load;
  }

  /** Why a value is as it is. */
  async why(target: Target, property: string, signal?: AbortSignal): Promise<Why> {
    const path = `${item(target)}/why/${encodeURIComponent(property)}`;
    return (await this.#ask({ method: 'GET', path, signal })) as unknown as Why;
  }

  /** One page of what became of the devices of a rollout. */
  async outcomes(
    target: Target,
    select: { readonly state?: string; readonly limit?: number; readonly continue?: string } = {},
    signal?: AbortSignal,
  ): Promise<OutcomeList> {
    const path = `${item(target)}/devices${queryOf({ ...select })}`;
    return (await this.#ask({ method: 'GET', path, signal })) as unknown as OutcomeList;
  }

  /** What went over the wires of a device of an edge since it was asked last; the first time begins it. */
  async capture(target: Target, capture: string, signal?: AbortSignal): Promise<CapturePage> {
    const path = `${item(target)}/captures/${encodeURIComponent(capture)}`;
    const asked = { method: 'POST', path, body: {}, type: JSON_TYPE, signal };
    return (await this.#ask(asked)) as unknown as CapturePage;
  }

  /** Ends when the server ends it (open the next one from the last version read) or the signal says so. */
  async *watch(
    kind: Kind,
    select: WatchSelect = {},
    signal?: AbortSignal,
  ): AsyncGenerator<WatchEvent, void, void> {
    const query = queryOf({ ...select, watch: '1', allowWatchBookmarks: '1' });
    const path = collection(kind, select.namespace) + query;
    let response: IncomingMessage | undefined;
    try {
      response = await this.#open({ method: 'GET', path, silentMs: SILENT_MS, signal });
      for await (const event of objectLines(response)) {
        if (event['type'] === 'ERROR') throw errorOfStatus(event['object'], 500);
        yield event as unknown as WatchEvent;
      }
    } catch (error) {
      if (signal?.aborted === true) return;
      const known = error instanceof ApiError || error instanceof ApiUnreachable;
      throw known ? error : unreachable(this.#where(), error);
    } finally {
      response?.destroy();
    }
  }

  /** One page of an answer. @throws ApiError whose first cause says where the fault is */
  async query({ rollout, ...asked }: QueryAsked, signal?: AbortSignal): Promise<QueryAnswer> {
    const body = { ...asked, ...rollout };
    const sent = { method: 'POST', path: QUERY_PATH, body, type: JSON_TYPE, signal };
    return (await this.#ask(sent)) as unknown as QueryAnswer;
  }

  /** One connection to a standing query; `followRows` goes on over any number of them. */
  async *standing(
    asked: StandingAsked,
    signal?: AbortSignal,
  ): AsyncGenerator<StandingEvent, void, void> {
    const path = QUERY_PATH + queryOf({ watch: '1', ...asked });
    let response: IncomingMessage | undefined;
    try {
      response = await this.#open({ method: 'GET', path, silentMs: SILENT_MS, signal });
      yield* eventsIn(response);
    } catch (error) {
      if (signal?.aborted === true) return;
      const known = error instanceof ApiError || error instanceof ApiUnreachable;
      throw known ? error : unreachable(this.#where(), error);
    } finally {
      response?.destroy();
    }
  }

  async #resource(asked: Asked): Promise<Resource> {
    return (await this.#ask(asked)) as unknown as Resource;
  }

  async #ask(asked: Asked): Promise<Document> {
    const response = await this.#open(asked);
    try {
      return JSON.parse(await textOf(response)) as Document;
    } catch (error) {
      throw unreachable(this.#where(), error);
    }
  }

  /** Resolves with a good response, its body unread. */
  async #open(asked: Asked): Promise<IncomingMessage> {
    const response = await this.#send(asked);
    const code = response.statusCode ?? 0;
    if (code >= 200 && code < 300) return response;
    const text = await textOf(response).catch(() => '');
    throw errorOfStatus(parsed(text), code);
  }

  #send(asked: Asked): Promise<IncomingMessage> {
    const body = asked.body === undefined ? undefined : Buffer.from(JSON.stringify(asked.body));
    const { token, ca, socketPath, timeoutMs = 30_000 } = this.#options;
    const options: RequestOptions & { ca?: string } = {
      method: asked.method,
      path: asked.path,
      timeout: asked.silentMs ?? timeoutMs,
      // Node's own pool keeps idle sockets, and with them short-lived commands, alive.
      agent: false,
      headers: {
        accept: JSON_TYPE,
        ...(body !== undefined && { 'content-type': asked.type, 'content-length': body.length }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(asked.signal !== undefined && { signal: asked.signal }),
      ...(ca !== undefined && { ca }),
      ...(socketPath !== undefined && { socketPath }),
    };
    const send = this.#origin.protocol === 'https:' ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const request = send(this.#origin, options, resolve);
      request.on('timeout', () => request.destroy(new Error('no answer in time')));
      request.on('error', (error) => reject(unreachable(this.#where(), error)));
      request.end(body);
    });
  }

  #where(): string {
    return this.#options.socketPath ?? this.#origin.origin;
  }
}

const JSON_TYPE = 'application/json';

interface ListDocument {
  readonly items: readonly Resource[];
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
}

function collection(kind: Kind, namespace: string | undefined): string {
  const within = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `/apis/${GROUP_VERSION}${within}/${KINDS[kind].plural}`;
}

function item({ kind, namespace, name }: Target): string {
  const within = KINDS[kind].namespaced ? (namespace ?? 'default') : undefined;
  return `${collection(kind, within)}/${encodeURIComponent(name)}`;
}

function queryOf(values: Readonly<Record<string, string | number | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && name !== 'namespace') query.set(name, String(value));
  }
  return query.size === 0 ? '' : `?${query.toString()}`;
}

function unreachable(where: string, cause: unknown): ApiUnreachable {
  const code = (cause as { code?: unknown }).code;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ApiUnreachable(
    typeof code === 'string' ? code : 'API_UNREACHABLE',
    `no answer from ${where}: ${why}`,
    { cause },
  );
}
