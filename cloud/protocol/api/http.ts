/** The API over node:http, for any backend: who may ask, what is asked, and the answer. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import type { Clock, Log } from '@limpet/dmi';
import { formOf } from './accept.ts';
import { Answer, answerError, statusError } from './answer.ts';
import type { Awaitable, Backend, Document, SampleList } from './backend.ts';
import { answerCall, type CallRoute } from './call.ts';
import { answerCapture, type CaptureRoute } from './capture.ts';
import { expectType, parseDocument, readBody } from './body.ts';
import type { KubernetesRoute } from './kubernetes-place.ts';
import { answerFile, type Files } from './files.ts';
import { type FrontLimits, IDLE_SOCKET_MS, LIMITS } from './limits.ts';
import { answerList } from './list.ts';
import { answerOutcomes } from './outcomes.ts';
import { answerOwn, OPEN } from './own-documents.ts';
import { refuseMalformed } from './malformed.ts';
import { allowed } from './place.ts';
import { answerQuery } from './query.ts';
import { type Route, route, type SamplesRoute, type WatchRoute, type WriteRoute } from './route.ts';
import { type Include, type Shape, shapeOf } from './shape.ts';
import { answerStanding, isStanding, type StandingDoor } from './standing-events.ts';
import { ApiError, tooManyRequests } from './status.ts';
import { bearerToken } from './tokens.ts';
import { WatchEvents } from './watch-events.ts';
import { Unread } from './unread.ts';
import { WatchFeed } from './watch.ts';
import { answerWhy } from './why.ts';
import { carryOut } from './writes.ts';

export interface FrontOptions {
  readonly backend: Backend;
  /** Limpet's own version. */
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether this bearer token may do everything (see `tokenCheck`). Without it, nobody is asked for one. */
  readonly authorize?: (token: string) => boolean;
  /** Why the service is not well, as a sentence; `undefined` when it is. */
  readonly ailment?: () => string | undefined;
  /** Why it should get no requests now although it is well; `undefined` when it may. */
  readonly unready?: () => string | undefined;
  /** What to tell of an error that is no `ApiError`; `undefined` when it is a bug. */
  readonly failure?: (error: unknown) => ApiError | undefined;
  /** Told of each request once it is over. */
  readonly access?: (access: Access) => void;
  /** What `/metrics` answers, in Prometheus' text format; without it there is no such path. */
  readonly metrics?: (counts: FrontCounts) => string;
  readonly limits?: Partial<FrontLimits>;
  /** Without it, no query stands here. */
  readonly standing?: StandingDoor;
  readonly files?: Files;
}

/** One request, without its query, which may say more than should be kept. */
export interface Access {
  readonly atMs: number;
  readonly method: string;
  readonly path: string;
  readonly code: number;
  readonly ms: number;
  /** Of the answer, and of whoever asked. */
  readonly bytes: number;
  readonly from?: string;
}

/** Requests being served, open watches, requests turned away and readers cut off for want of room. */
export interface FrontCounts {
  readonly requests: number;
  readonly watches: number;
  readonly refused: number;
  readonly cut: number;
  readonly unreadBytes: number;
}

/** What does more than to look. */
type Doing = WriteRoute | CallRoute | CaptureRoute | KubernetesRoute;

export class ApiFront {
  readonly #options: FrontOptions;
  readonly #limits: FrontLimits;
  readonly #watches = new Set<WatchFeed>();
  readonly #unread: Unread;
  #requests = 0;
  #refused = 0;
  #closed = false;

  constructor(options: FrontOptions) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#unread = new Unread(this.#limits.unreadBytes, options.clock);
  }

  /** Serves a server made with SERVER_OPTIONS, and sets what cannot be said there. */
  attach(server: Server): void {
    server.timeout = IDLE_SOCKET_MS;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      void this.#serve(request, response);
    });
    server.on('clientError', refuseMalformed);
  }

  counts(): FrontCounts {
    const { bytes: unreadBytes, cut } = this.#unread;
    const [requests, watches, refused] = [this.#requests, this.#watches.size, this.#refused];
    return { requests, watches, refused, cut, unreadBytes };
  }

  /** Ends all watches, and refuses new requests from now on. */
  close(): void {
    this.#closed = true;
    for (const feed of this.#watches) feed.end();
  }

  /** Never rejects. */
  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { clock, log, access } = this.#options;
    const { remoteAddress: from, bytesWritten: sent } = request.socket;
    const url = request.url ?? '/';
    const answer = new Answer(response, {
      pretty: /[?&]pretty(=(true|1)?)?(&|$)/.test(url),
      unread: this.#unread,
    });
    const started = clock.monotonic();
    response.on('error', (error) => log.debug('api answer lost', { error: error.message }));
    response.on('close', () => {
      const path = url.split('?', 1)[0]?.slice(0, 200) ?? '';
      const ms = Math.round(clock.monotonic() - started);
      const asked = { method: request.method ?? '', path, code: response.statusCode, ms };
      log.debug('api request', asked);
      if (access === undefined) return;
      const bytes = request.socket.bytesWritten - sent;
      access({ atMs: clock.now(), ...asked, bytes, ...(from !== undefined && { from }) });
    });
    if (answerFile(this.#options.files, request, response)) return;
    this.#requests += 1;
    try {
      this.#admit(request, url);
      const to = { answer, request, clock, stallMs: this.#limits.stallMs };
      if (isStanding(request.method, url)) await answerStanding(this.#options.standing, to);
      else await this.#dispatch(route(request.method ?? 'GET', url), request, answer);
    } catch (error) {
      // The client has gone, and whatever failed failed for that.
      if (request.destroyed && !request.complete) return;
      answerError(answer, this.#failure(error), allowed(url));
    } finally {
      this.#requests -= 1;
    }
  }

  #failure(error: unknown): ApiError {
    const { failure, log } = this.#options;
    return failure?.(error) ?? statusError(error, log);
  }

  /** @throws ApiError Unauthorized, Forbidden, TooManyRequests, ServiceUnavailable */
  #admit(request: IncomingMessage, url: string): void {
    const { authorize } = this.#options;
    if (this.#closed) throw new ApiError('ServiceUnavailable', 'the service is stopping');
    if (this.#requests > this.#limits.requests) {
      this.#refused += 1;
      throw tooManyRequests(`more than ${this.#limits.requests} requests at once; try again`, 1);
    }
    if (authorize === undefined) return refuseForeignHost(request);
    if (OPEN.has(url.split('?', 1)[0] ?? '')) return;
    const token = bearerToken(request.headers.authorization);
    if (token === undefined) {
      throw new ApiError('Unauthorized', 'expected the header Authorization: Bearer TOKEN');
    }
    if (!authorize(token)) {
      throw new ApiError('Unauthorized', 'this token is not one that the service knows');
    }
  }

  async #dispatch(asked: Route, request: IncomingMessage, answer: Answer): Promise<void> {
    const { backend } = this.#options;
    this.#expectRoom(asked);
    if (isDoing(asked)) return this.#carryOut(asked, request, answer);
    switch (asked.verb) {
      case 'options':
        answer.response.writeHead(204, { allow: asked.allow.join(', ') }).end();
        return;
      case 'read':
        return answerOwn(asked.path, this.#options, {
          answer,
          counts: () => this.counts(),
          accept: request.headers.accept,
        });
      case 'list':
        return answerList(backend, asked, {
          answer,
          shape: await this.#shape(request, asked.include),
        });
      case 'watch':
        return this.#watch(asked, answer, await this.#shape(request, asked.include));
      case 'get': {
        const shape = await this.#shape(request, asked.include);
        return answer.json(200, shape.single(await backend.get(asked.target)));
      }
      case 'samples':
        return answer.json(200, await this.#samples(asked));
      case 'why':
      case 'load':
        return answerWhy(backend, asked, answer);
      case 'outcomes':
        return answerOutcomes(backend, asked, answer);
      case 'query':
        return answerQuery(backend, asked, { answer, request });
    }
  }

  async #carryOut(asked: Doing, request: IncomingMessage, answer: Answer): Promise<void> {
    const { backend, clock, version } = this.#options;
    switch (asked.verb) {
      case 'call':
        return answerCall(backend, asked, await documentOf(request), { answer, request });
      case 'capture':
        return answerCapture(backend, asked, { answer, request });
      case 'kubernetes': {
        const { answerKubernetes } = await import('./kubernetes/answer.ts');
        return answerKubernetes(asked, { backend, answer, request, version });
      }
      case 'create':
      case 'replace':
      case 'patch':
      case 'remove':
      case 'removeAll':
        return carryOut(asked, {
          backend,
          clock,
          request,
          answer,
          shape: await this.#shape(request),
        });
    }
  }

  /** @throws ApiError TooManyRequests */
  #expectRoom({ verb }: Route): void {
    // Health and metrics are asked for when things are bad.
    if (verb === 'read' || this.#unread.admits()) return;
    this.#refused += 1;
    throw tooManyRequests('too much waits for readers that take nothing; try again', 5);
  }

  #samples({ target, property, query }: SamplesRoute): Awaitable<SampleList> {
    const { backend } = this.#options;
    if (backend.samples !== undefined) return backend.samples(target, property, query);
    throw new ApiError(
      'NotFound',
      "no history is kept here: ask the device's edge (limpet samples --edge PLACE), or start the cloud without --history off",
    );
  }

  #shape({ headers }: IncomingMessage, include: Include = 'Metadata'): Promise<Shape> {
    return shapeOf(formOf(headers.accept), include, () => this.#options.clock.now());
  }

  async #watch(asked: WatchRoute, answer: Answer, shape: Shape): Promise<void> {
    const { backend, clock } = this.#options;
    const { watches: _, watchMs, ...times } = this.#limits;
    this.#refuseWatch();
    const events = new WatchEvents({ backend, query: asked.query, since: asked.since });
    // Listens first, so that nothing changes unnoticed while it reads.
    let feed: WatchFeed | undefined;
    const stop = backend.onChange(() => feed?.wake());
    try {
      // May throw Expired: then nothing has been opened yet.
      await events.read();
      this.#refuseWatch();
    } catch (error) {
      stop();
      throw error;
    }
    if (answer.response.destroyed) return stop();
    feed = new WatchFeed({
      answer,
      clock,
      times,
      bookmarks: asked.bookmarks,
      marksInitial: asked.marksInitial,
      show: shape.watched(asked.query.kind),
      timeoutMs: Math.min(asked.timeoutMs ?? watchMs, watchMs),
      failure: (error) => this.#failure(error),
    });
    const open = feed;
    this.#watches.add(open);
    answer.response.on('close', () => this.#watches.delete(open));
    // An idle watch is not a dead one; a dead peer is found by TCP keep-alive or by its stall.
    answer.response.socket?.setTimeout(0);
    open.start(events, stop);
    // What changed since it read.
    open.wake();
  }

  /** @throws ApiError TooManyRequests, ServiceUnavailable */
  #refuseWatch(): void {
    const { watches } = this.#limits;
    if (this.#closed) throw new ApiError('ServiceUnavailable', 'the service is stopping');
    if (this.#watches.size < watches) return;
    this.#refused += 1;
    throw tooManyRequests(`more than ${watches} watches at once; end one, or list instead`, 10);
  }
}

async function documentOf(request: IncomingMessage): Promise<Document> {
  expectType(request, 'application/json');
  return parseDocument(await readBody(request));
}

/**
 * Without tokens, a web page could reach a loopback service by pointing its own DNS name there. An
 * address or `localhost` in the Host header cannot be such a name.
 */
function refuseForeignHost(request: IncomingMessage): void {
  const { headers, socket } = request;
  const { host } = headers;
  // A unix socket has no remote address, and no web page reaches it.
  if (host === undefined || socket.remoteAddress === undefined) return;
  const name = host.replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1');
  if (name === '' || name === 'localhost' || isIP(name) !== 0) return;
  throw new ApiError(
    'Forbidden',
    'a service without tokens answers only to localhost or an IP address in the Host header',
  );
}

const LOOKING: ReadonlySet<string> = new Set([
  'options',
  'read',
  'list',
  'watch',
  'get',
  'samples',
  'why',
  'load',
  'outcomes',
  'query',
]);

function isDoing(asked: Route): asked is Doing {
  return !LOOKING.has(asked.verb);
}
