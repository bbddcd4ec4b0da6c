/** What goes over a device's wire while somebody records it. */

/** One thing that happened on a wire. */
export interface CapturedEvent {
  /** Microseconds since the capture began. */
  readonly us: number;
  /** `open` and `close` of a wire; bytes `out` to the device and `in` from it. */
  readonly kind: 'open' | 'close' | 'in' | 'out';
  /** Of `in` and `out`: base64. */
  readonly bytes?: string;
  /** Of `open`: the address. Of `close`: why, when it was not in good order. */
  readonly text?: string;
}

/** What happened since the page before, oldest first. */
export interface CapturePage {
  readonly events: readonly CapturedEvent[];
  /** So much was lost so far, because nobody fetched it in time. */
  readonly dropped: { readonly events: number; readonly bytes: number };
  /** Wires that are open now. None, of a device that is online: its mapper's library opens its own sockets. */
  readonly wires: number;
  /** There is another page already. */
  readonly more: boolean;
}

/**
 * Fetches what was captured of a device; the first call begins it, and 10 s without one end it.
 * @throws Refused CAPTURE_BUSY; Unreachable when its mapper is down; Misconfigured DEVICE_UNKNOWN
 */
export type CaptureDoor = (
  device: string,
  capture: string,
  signal: AbortSignal,
) => Promise<CapturePage>;
