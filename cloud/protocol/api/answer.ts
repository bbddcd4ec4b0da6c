/** Writes answers: JSON bodies, and errors as Kubernetes `Status` objects. */
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Log } from '@limpet/dmi';
import { ApiError } from './status.ts';
import type { Unread } from './unread.ts';

const HEADERS = {
  'content-type': 'application/json',
  'cache-control': 'no-cache, private',
  'x-content-type-options': 'nosniff',
};

/** One request's answer. */
export class Answer {
  readonly response: ServerResponse;
  readonly #pretty: boolean;
  readonly #unread: Unread;

  constructor(
    response: ServerResponse,
    options: { readonly pretty: boolean; readonly unread: Unread },
  ) {
    this.response = response;
    this.#pretty = options.pretty;
    this.#unread = options.unread;
  }

  /** A whole document. */
  json(code: number, document: unknown, type: string = HEADERS['content-type']): void {
    const body = this.text(document);
    const length = { 'content-length': Buffer.byteLength(body) };
    this.#unread.wrote(this.response, length['content-length']);
    this.response.writeHead(code, { ...HEADERS, 'content-type': type, ...length }).end(body);
  }

  plain(code: number, text: string): void {
    this.response.writeHead(code, { ...HEADERS, 'content-type': 'text/plain' }).end(text);
  }

  /** Whether all readers together leave room for more. */
  hasRoom(): boolean {
    return this.#unread.admits();
  }

  /** Counts what was written past this class and did not go out at once; to be called when it has. */
  wrote(text: string): () => void {
    return this.#unread.wrote(this.response, Buffer.byteLength(text));
  }

  /** Starts a body of unknown length, and lets the reader know at once. */
  begin(type: string = HEADERS['content-type']): void {
    this.response.writeHead(200, { ...HEADERS, 'content-type': type });
    this.response.flushHeaders();
  }

  /** Resolves when the reader can take more; false when it has gone. */
  async write(text: string): Promise<boolean> {
    const taken = await this.#unread.room(this.response, Buffer.byteLength(text));
    if (!this.response.destroyed && !this.response.write(text)) await drained(this.response);
    taken();
    return !this.response.destroyed;
  }

  text(document: unknown): string {
    return `${JSON.stringify(document, undefined, this.#pretty ? 2 : undefined)}\n`;
  }
}

/** The error as the client shall see it. A bug stays inside: logged with an id, answered with the id. */
export function statusError(error: unknown, log: Log): ApiError {
  if (error instanceof ApiError) return error;
  const id = randomUUID();
  log.error('api request failed on a bug', {
    id,
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  });
  return new ApiError('InternalError', `internal error ${id}: see the server's log`);
}

/** Answers with a `Status`; when the body has already begun, the only honest thing is to cut it off. */
export function answerError(answer: Answer, error: ApiError, allow: readonly string[]): void {
  const { response } = answer;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (error.code === 401) response.setHeader('www-authenticate', 'Bearer');
  if (error.code === 405) response.setHeader('allow', allow.join(', '));
  const wait = error.details.retryAfterSeconds;
  if (wait !== undefined) response.setHeader('retry-after', String(wait));
  // What is left of an unread body is not worth reading.
  if (!response.req.complete) response.setHeader('connection', 'close');
  answer.json(error.code, error.toStatus());
}

function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}
