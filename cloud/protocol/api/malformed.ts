/** Answers what is not HTTP. */
import type { Duplex } from 'node:stream';
import { badRequest } from './status.ts';

/** What is not even HTTP. */
export function refuseMalformed(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [line, reason] = MALFORMED[error.code ?? ''] ?? ['400 Bad Request', 'not valid HTTP'];
  const body = JSON.stringify(badRequest(reason).toStatus());
  const head = ['content-type: application/json', 'connection: close'];
  socket.end(
    [`HTTP/1.1 ${line}`, ...head, `content-length: ${Buffer.byteLength(body)}`, '', body].join(
      '\r\n',
    ),
  );
}

const MALFORMED: Readonly<Record<string, readonly [string, string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'the request head is too large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request took too long to arrive'],
};
