/** The Attribute Protocol's packets (Core Specification, Vol 3 Part F, 3.4), as a client needs them (pure). */

export const OP = {
  error: 0x01,
  mtuRequest: 0x02,
  mtuResponse: 0x03,
  findInformation: 0x04,
  findInformationResponse: 0x05,
  readByType: 0x08,
  readByTypeResponse: 0x09,
  read: 0x0a,
  readResponse: 0x0b,
  readBlob: 0x0c,
  readBlobResponse: 0x0d,
  readByGroup: 0x10,
  readByGroupResponse: 0x11,
  write: 0x12,
  writeResponse: 0x13,
  prepare: 0x16,
  prepareResponse: 0x17,
  execute: 0x18,
  executeResponse: 0x19,
  notification: 0x1b,
  indication: 0x1d,
  confirmation: 0x1e,
  command: 0x52,
} as const;

/** Before it is negotiated: Part G, 5.2.1. */
export const DEFAULT_MTU = 23;
/** What is asked for: the longest attribute and a header. */
export const WANTED_MTU = 517;
/** The longest value of an attribute: 3.2.9. */
export const MAX_VALUE = 512;

export const ATTRIBUTE_NOT_FOUND = 0x0a;
export const INVALID_OFFSET = 0x07;
export const NOT_LONG = 0x0b;
export const REQUEST_NOT_SUPPORTED = 0x06;

/** 3.4.1.1 */
const ERRORS: Readonly<Record<number, string>> = {
  0x01: 'invalid handle',
  0x02: 'it cannot be read',
  0x03: 'it cannot be written',
  0x04: 'invalid packet',
  0x05: 'it wants authentication',
  0x06: 'request not supported',
  0x07: 'invalid offset',
  0x08: 'it wants authorization',
  0x09: 'too many prepared writes',
  0x0a: 'attribute not found',
  0x0b: 'it is not long',
  0x0c: 'the encryption key is too short',
  0x0d: 'wrong length of the value',
  0x0e: 'unlikely error',
  0x0f: 'it wants encryption',
  0x11: 'insufficient resources',
  0x13: 'value not allowed',
  0xfc: 'write request rejected',
  0xfd: 'its Client Characteristic Configuration is improperly configured',
  0xfe: 'a procedure is in progress already',
  0xff: 'out of range',
};

/** The device refused one request. */
export class AttError extends Error {
  readonly code: number;

  constructor(code: number) {
    super(ERRORS[code] ?? (code >= 0x80 ? `error ${code} of the device's own` : `error ${code}`));
    this.code = code;
  }

  /** Whether an encrypted link may be all it wants. */
  get wantsPairing(): boolean {
    return this.code === 0x05 || this.code === 0x0f || this.code === 0x0c;
  }
}

/** An answer that is none. */
export class AttGarbled extends Error {}

export function handleRequest(op: number, handle: number, ...more: readonly number[]): Buffer {
  return Buffer.from([op, handle & 0xff, handle >> 8, ...more.flatMap((n) => [n & 0xff, n >> 8])]);
}

export function rangeRequest(op: number, range: Range, type?: number): Buffer {
  const { first, last } = range;
  return type === undefined ? handleRequest(op, first, last) : handleRequest(op, first, last, type);
}

export function valueRequest(op: number, handle: number, value: Uint8Array): Buffer {
  return Buffer.concat([handleRequest(op, handle), value]);
}

export function prepareRequest(handle: number, offset: number, part: Uint8Array): Buffer {
  return Buffer.concat([handleRequest(OP.prepare, handle, offset), part]);
}

/** Attributes from `first` to `last`, both included. */
export interface Range {
  readonly first: number;
  readonly last: number;
}

/** Entries of equal length, as the three answers that list attributes have them. */
export function entries(answer: Buffer, least: number): Buffer[] {
  const length = answer[1] ?? 0;
  const body = answer.subarray(2);
  if (length < least || body.length === 0 || body.length % length !== 0) {
    throw new AttGarbled(`a list of ${body.length} bytes with entries of ${length}`);
  }
  return slices(body, length);
}

/** Handles and UUIDs, as Find Information answers them: 3.4.3.2. */
export function information(answer: Buffer): { readonly handle: number; readonly uuid: Buffer }[] {
  const length = answer[1] === 1 ? 4 : 18;
  const body = answer.subarray(2);
  if (body.length === 0 || body.length % length !== 0) {
    throw new AttGarbled(`a list of ${body.length} bytes with entries of ${length}`);
  }
  return slices(body, length).map((each) => ({
    handle: each.readUInt16LE(),
    uuid: each.subarray(2),
  }));
}

function slices(bytes: Buffer, length: number): Buffer[] {
  const count = bytes.length / length;
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * length, (i + 1) * length));
}

/** Which request this packet answers, and whether it refuses it; `undefined`: it answers none. */
export function answered(
  packet: Buffer,
): { readonly op: number; readonly refused?: AttError } | undefined {
  const op = packet[0] ?? 0;
  if (op === OP.error) {
    if (packet.length < 5) return undefined;
    return { op: packet.readUInt8(1), refused: new AttError(packet.readUInt8(4)) };
  }
  // Answers are odd, and follow their request; 3.3.1.
  const isAnswer = op % 2 === 1 && op !== OP.notification && op !== OP.indication && op < 0x40;
  return isAnswer ? { op: op - 1 } : undefined;
}
