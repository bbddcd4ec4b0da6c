/** What both framings offer the wire: requests to bytes, and bytes to the one answer that is awaited. */
import type { DmiError } from '@limpet/dmi';
import type { Request } from './pdu.ts';

/** What the bytes so far amount to. */
export type Outcome =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'reply'; readonly pdu: Buffer }
  /** There should have been an answer by now: fails with `error` unless more bytes come at once. */
  | { readonly kind: 'spoilt'; readonly error: DmiError }
  /** Waiting longer cannot help. */
  | { readonly kind: 'broken'; readonly error: DmiError };

/** One framing of one connection. Remembers the request in flight, and bytes that are no frame yet. */
export interface Framing {
  /**
   * Forgets what is stale and returns the bytes to send.
   * @throws Garbled when what came since the last answer spoilt the stream.
   */
  begin(request: Request): Buffer;
  /** Takes bytes that arrived while a request is in flight. */
  receive(chunk: Buffer): Outcome;
  /** Takes bytes that arrived while none is. */
  idle(chunk: Buffer): void;
  /** The error to fail with when time is up. */
  overdue(timeoutMs: number): DmiError;
}

export const WAITING: Outcome = { kind: 'waiting' };
