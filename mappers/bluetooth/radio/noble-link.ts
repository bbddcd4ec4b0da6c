/** {@link Link} over noble: the L2CAP channels of one connection. */
import { EventEmitter } from 'node:events';
import type { AclClass, NobleAcl, NobleHci } from './noble.ts';
import { type Link, LinkError, type Peer } from './radio.ts';

export interface LinkOptions {
  readonly hci: NobleHci;
  readonly handle: number;
  readonly peer: Peer;
  readonly acl: () => Promise<AclClass>;
  /** Where there is no kernel that does it: what the device asks on the signalling channel. */
  readonly answersSignals: boolean;
}

/** Fixed channels: Core Specification, Vol 3 Part A, 2.1. */
const ATTRIBUTES = 4;
const SIGNALLING = 5;
const SECURITY = 6;
/** Vol 3 Part A, 4.20 and 4.21. */
const UPDATE_REQUEST = 0x12;
const UPDATE_RESPONSE = 0x13;
/** Vol 3 Part H, 3.5.5. */
const PAIRING_FAILED = 0x05;

const FAILURES: Readonly<Record<number, string>> = {
  0x03: 'it wants a code or a confirmation, which nobody can give here',
  0x05: 'it cannot be paired with',
  0x06: 'its key is too short',
  0x08: 'it wants secure connections, which this library cannot',
  0x09: 'it was tried too often: wait a while',
};

export class NobleLink implements Link {
  readonly ended: Promise<LinkError>;
  readonly #options: LinkOptions;
  readonly #end: (error: LinkError) => void;
  /** Pairing events, for whoever waits for them. */
  readonly #security = new EventEmitter();
  #acl: NobleAcl | undefined;
  #over = false;
  receive: (packet: Buffer) => void = () => undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<LinkError>();
    this.ended = promise;
    this.#end = resolve;
  }

  send(packet: Uint8Array): void {
    if (!this.#over) this.#write(ATTRIBUTES, Buffer.from(packet));
  }

  disconnect(): void {
    if (!this.#over) this.#options.hci.disconnect(this.#options.handle);
  }

  async pair(signal: AbortSignal): Promise<void> {
    const acl = await this.#securityManager();
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#security.once('done', resolve);
    this.#security.once('failed', reject);
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    void this.ended.then(reject);
    try {
      acl.encrypt();
      await promise;
    } finally {
      this.#security.removeAllListeners();
      signal.removeEventListener('abort', abort);
    }
  }

  /** What came on one of its channels. */
  take(channel: number, bytes: Buffer): void {
    if (channel === ATTRIBUTES) this.receive(bytes);
    else if (channel === SIGNALLING) this.#signalled(bytes);
    else if (channel === SECURITY) this.#secured(bytes);
  }

  encrypted(on: number): void {
    if (on !== 0) this.#security.emit('done');
    else this.#security.emit('failed', new LinkError(0x05));
  }

  lose(error: LinkError): void {
    this.#over = true;
    this.#acl?.push(null, null);
    this.#end(error);
  }

  async #securityManager(): Promise<NobleAcl> {
    if (this.#acl !== undefined) return this.#acl;
    const { hci, handle, peer } = this.#options;
    const Acl = await this.#options.acl();
    const type = peer.random ? 'random' : 'public';
    this.#acl = new Acl(
      hci,
      handle,
      'public',
      hci.address ?? '00:00:00:00:00:00',
      type,
      peer.address,
    );
    return this.#acl;
  }

  #secured(bytes: Buffer): void {
    if (bytes[0] === PAIRING_FAILED) {
      const why = FAILURES[bytes[1] ?? 0] ?? `reason ${bytes[1]}`;
      this.#security.emit('failed', new LinkError(0x05, `pairing was refused: ${why}`));
    }
    this.#acl?.push(SECURITY, bytes);
  }

  /** A device that asks for a slower or quicker link gets it. */
  #signalled(bytes: Buffer): void {
    const { hci, handle, answersSignals } = this.#options;
    if (!answersSignals || bytes[0] !== UPDATE_REQUEST || bytes.length < 12) return;
    this.#write(SIGNALLING, Buffer.from([UPDATE_RESPONSE, bytes.readUInt8(1), 2, 0, 0, 0]));
    const [min, max, latency, timeout] = [4, 6, 8, 10].map((at) => bytes.readUInt16LE(at));
    if (min === undefined || max === undefined || latency === undefined || timeout === undefined)
      return;
    hci.connUpdateLe(handle, min * 1.25, max * 1.25, latency, timeout * 10);
  }

  #write(channel: number, bytes: Buffer): void {
    // Its promise tells nothing: packets that the controller does not take wait until the link ends.
    void this.#options.hci.writeAclDataPkt(this.#options.handle, channel, bytes);
  }
}
