/** What this mapper wants of a Bluetooth library: to hear, to connect, and to carry attribute packets. Everything above is ours. */

/** One advertisement or scan response, as the controller reports it. */
export interface Report {
  /** Lower case with colons. */
  readonly address: string;
  readonly random: boolean;
  readonly connectable: boolean;
  /** Whether it answers the scan request that followed an advertisement. */
  readonly response: boolean;
  /** dBm; 127: not known. */
  readonly rssi: number;
  /** AD structures. */
  readonly bytes: Uint8Array;
}

/** Whom to connect to. */
export interface Peer {
  readonly address: string;
  readonly random: boolean;
}

export interface RadioEvents {
  heard(report: Report): void;
  /** The adapter is gone. Told once; nothing comes after it. */
  lost(error: Error): void;
}

/** One adapter. At most one connection is being made at a time. */
export interface Radio {
  /** Listens from now on, or not; again and again does no harm. It pauses by itself while a connection is made. */
  scan(on: boolean): void;
  /**
   * One attempt.
   * @throws LinkError, with the controller's status; the signal's reason at once when aborted
   */
  connect(
    peer: Peer,
    options: { readonly supervisionMs: number },
    signal: AbortSignal,
  ): Promise<Link>;
  /** Whether an attempt that was given up has not ended: the controller hangs. */
  readonly stuck: boolean;
  close(): void;
}

/** One connection to a peer. */
export interface Link {
  /** A whole attribute packet. */
  send(packet: Uint8Array): void;
  /** Called with each that comes; set before anything is sent. */
  receive: (packet: Buffer) => void;
  /** Pairs without asking anybody (Just Works), and encrypts. @throws LinkError */
  pair(signal: AbortSignal): Promise<void>;
  /** Resolves once, with why it ended; never rejects. */
  readonly ended: Promise<LinkError>;
  disconnect(): void;
}

/** By Core Specification, Vol 1 Part F, 1.3: those that a radio link ends with. */
const STATUS: Readonly<Record<number, string>> = {
  0x02: 'unknown connection',
  0x05: 'authentication failure',
  0x06: 'PIN or key missing',
  0x07: 'controller out of memory',
  0x08: 'supervision timeout: out of reach, or switched off',
  0x09: 'connection limit of the controller exceeded',
  0x0b: 'it is connected already',
  0x0c: 'command disallowed: another program uses the adapter',
  0x0d: 'rejected for lack of resources',
  0x12: 'invalid parameters',
  0x13: 'ended by the device',
  0x14: 'ended by the device: low resources',
  0x15: 'ended by the device: power off',
  0x16: 'ended by this side',
  0x1f: 'unspecified error',
  0x22: 'link layer response timeout',
  0x28: 'instant passed',
  0x3b: 'unacceptable connection parameters',
  0x3d: 'MIC failure: wrong key',
  0x3e: 'connection failed to be established',
  0x44: 'cancelled by this side',
};

export const FAILED_TO_ESTABLISH = 0x3e;

/** Why there is no link, or no longer. */
export class LinkError extends Error {
  /** As HCI numbers it. */
  readonly status: number;

  constructor(status: number, detail?: string) {
    const number = `0x${status.toString(16).padStart(2, '0')}`;
    super(detail ?? `${STATUS[status] ?? 'unknown status'} (${number})`);
    this.status = status;
  }
}
