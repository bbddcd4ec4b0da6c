/** Files beside the API, for everybody: they hold no secrets. */
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface StaticFile {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Finds a file by its path. */
export type Files = (path: string) => StaticFile | undefined;

/** Whether the request was for one of them, and is answered. */
export function answerFile(
  files: Files | undefined,
  { method, url = '/' }: IncomingMessage,
  response: ServerResponse,
): boolean {
  const file = method === 'GET' || method === 'HEAD' ? files?.(url) : undefined;
  if (file) response.writeHead(200, file.headers).end(file.body);
  return file !== undefined;
}
