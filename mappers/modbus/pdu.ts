/** Protocol data units: what a request asks, and whether a reply answers it. MODBUS application protocol V1.1b3, §6. */

import { identityLength } from './identity.ts';

/** One request: to whom, and the function code with its fields. */
export interface Request {
  readonly unit: number;
  readonly pdu: Buffer;
}

const EXCEPTION = 0x80;
/** Device identification: the one reply that tells its length itself. */
const IDENTITY = 0x2b;
const LONGEST_PDU = 253;

/** How long a good reply's PDU is, in bytes; of an identification, at least. */
export function replyLength(request: Buffer): number {
  const code = request.readUInt8(0);
  if (code <= 2) return 2 + Math.ceil(request.readUInt16BE(3) / 8);
  if (code <= 4) return 2 + 2 * request.readUInt16BE(3);
  return code === IDENTITY ? 7 : echo(request).length;
}

/** How long it can be. */
export function longestReply(request: Buffer): number {
  return request.readUInt8(0) === IDENTITY ? LONGEST_PDU : replyLength(request);
}

/** What a server repeats of a write: all of functions 5, 6 and 22, address and quantity of 15 and 16. */
export function echo(request: Buffer): Buffer {
  const code = request.readUInt8(0);
  return code === 15 || code === 16 ? request.subarray(0, 5) : request;
}

/** Why `reply` cannot be the answer to `request`; `undefined` when it is one, be it an exception. */
export function mismatch(request: Buffer, reply: Buffer): string | undefined {
  const asked = request.readUInt8(0);
  const code = reply.readUInt8(0);
  if (code === (asked | EXCEPTION))
    return reply.length === 2 ? undefined : `an exception of ${reply.length} bytes`;
  if (code !== asked) return `function ${code} in answer to ${asked}`;
  if (asked === IDENTITY) {
    return identityLength(reply) === reply.length ? undefined : 'an identification of odd length';
  }
  const expected = replyLength(request);
  if (reply.length !== expected) return `${reply.length} bytes in answer, expected ${expected}`;
  if (asked <= 4)
    return reply.readUInt8(1) === expected - 2
      ? undefined
      : `a byte count of ${reply.readUInt8(1)}, expected ${expected - 2}`;
  return reply.equals(echo(request)) ? undefined : 'a write confirmed with other fields than asked';
}

/** The length of a reply's PDU as its own first bytes tell; `undefined` while too few are there. */
export function impliedLength(pdu: Buffer): number | undefined {
  const code = pdu[0];
  if (code === undefined) return undefined;
  if (code >= EXCEPTION) return 2;
  if (code <= 4) return pdu[1] === undefined ? undefined : 2 + pdu[1];
  if (code === IDENTITY) return identityLength(pdu);
  return code === 22 ? 7 : 5;
}
