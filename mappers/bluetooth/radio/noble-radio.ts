/** {@link Radio} over the HCI layer of noble: one adapter, opened and running. */
import { type Clock, Misconfigured, Unreachable } from '@limpet/dmi';
import { type AclClass, type HciClass, type NobleHci, stateError } from './noble.ts';
import { NobleLink } from './noble-link.ts';
import { FragmentJoiner } from './fragments.ts';
import { type Link, LinkError, type Peer, type Radio, type RadioEvents } from './radio.ts';
import type { HciSocket } from './socket.ts';

export interface NobleOptions {
  readonly adapter: string;
  readonly hci: HciClass;
  readonly acl: () => Promise<AclClass>;
  readonly socket: HciSocket;
  /** Of the kernel; `undefined` on a stream. */
  readonly device: number | undefined;
  readonly clock: Clock;
  readonly events: RadioEvents;
}

/** A controller answers its reset within a second. */
const START_MS = 5_000;
/** After that a cancelled attempt has ended, or the controller hangs. */
const CANCEL_MS = 2_000;
/** 30 to 50 ms, in 1.25 ms: quick enough to discover, and most devices agree. */
const INTERVAL = { minInterval: 24, maxInterval: 40, latency: 0 };
const CANCELLED = 0x02;

type Attempt = {
  readonly address: string;
  ended(status: number, handle: number): void;
};

export class NobleRadio implements Radio {
  readonly #options: NobleOptions;
  readonly #hci: NobleHci;
  readonly #links = new Map<number, NobleLink>();
  #wanted = false;
  #attempt: Attempt | undefined;
  #cancelling: (() => void) | undefined;
  #stuck = false;
  #closed = false;

  private constructor(options: NobleOptions) {
    this.#options = options;
    this.#hci = new options.hci(options.device === undefined ? {} : { deviceId: options.device });
    this.#hci._socket = options.socket;
  }

  /** Resolves once the controller answers. @throws Unreachable, Misconfigured */
  static async open(options: NobleOptions, signal: AbortSignal): Promise<NobleRadio> {
    const radio = new NobleRadio(options);
    try {
      await radio.#start(signal);
      return radio;
    } catch (error) {
      radio.close();
      throw error;
    }
  }

  get stuck(): boolean {
    return this.#stuck;
  }

  scan(on: boolean): void {
    this.#wanted = on;
    this.#listen();
  }

  async connect(
    peer: Peer,
    { supervisionMs }: { readonly supervisionMs: number },
    signal: AbortSignal,
  ): Promise<Link> {
    signal.throwIfAborted();
    if (this.#closed) throw new Unreachable('BLE_ADAPTER_LOST', 'the adapter was closed');
    if (this.#attempt !== undefined) throw new LinkError(0x0c, 'another connection is being made');
    const { promise, resolve, reject } = Promise.withResolvers<Link>();
    const attempt: Attempt = {
      address: peer.address,
      ended: (status, handle) => {
        this.#attempt = undefined;
        this.#cancelling?.();
        this.#listen();
        if (status !== 0) reject(new LinkError(status));
        else if (signal.aborted) this.#hci.disconnect(handle);
        // At once: the device's first packet may have come together with this.
        else resolve(this.#link(handle, peer));
      },
    };
    this.#attempt = attempt;
    const giveUp = (): void => {
      this.#cancel(attempt);
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      this.#listen();
      const type = peer.random ? 'random' : 'public';
      const timeout = Math.round(supervisionMs / 10);
      this.#hci.createLeConn(peer.address, type, { ...INTERVAL, timeout }, false);
      return await promise;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const handle of this.#links.keys()) this.#hci.disconnect(handle);
    for (const link of this.#links.values())
      link.lose(new LinkError(0x16, 'the adapter was closed'));
    this.#links.clear();
    this.#attempt?.ended(0x44, 0);
    this.#hci.removeAllListeners();
    const { socket } = this.#options;
    socket.removeAllListeners();
    // A native socket still tells of what it was reading.
    socket.on('error', () => undefined);
    socket.stop();
    // Its timer would hold all of this for another second.
    clearTimeout(this.#hci._devUpPollTimer ?? undefined);
  }

  async #start(signal: AbortSignal): Promise<void> {
    const { adapter, clock, socket } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#hear(reject);
    this.#hci.on('stateChange', (state: string) => {
      if (state === 'poweredOn') resolve();
      else this.#lose(stateError(adapter, state), reject);
    });
    socket.on('error', (error: Error & { code?: string; syscall?: string }) => {
      const denied = error.code === 'EPERM' || error.code === 'EACCES';
      const state = denied ? 'unauthorized' : 'unsupported';
      // What else a raw socket tells, such as that the network is down, comes as a state as well.
      if (denied || error.syscall !== undefined) this.#lose(stateError(adapter, state), reject);
    });
    const stop = clock.after(START_MS, () =>
      reject(
        new Unreachable(
          'BLE_ADAPTER_SILENT',
          `${adapter} does not answer its reset: check the line, its speed, and that a Bluetooth controller is there`,
        ),
      ),
    );
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    try {
      signal.throwIfAborted();
      this.#mend();
      this.#tellRefusals(reject);
      try {
        this.#hci.init();
      } catch (error) {
        reject(error);
      }
      await promise;
    } finally {
      stop();
      signal.removeEventListener('abort', abort);
    }
  }

  /** Two faults of @abandonware/noble: its timer runs for ever, and a packet for a link that just ended is an unhandled rejection. */
  #mend(): void {
    const hci = this.#hci;
    const poll = hci.pollIsDevUp.bind(hci);
    const flush = hci.flushAcl.bind(hci);
    hci.pollIsDevUp = () => {
      if (!this.#closed) poll();
    };
    hci.flushAcl = () => {
      hci._aclQueue = hci._aclQueue.filter(({ handle }) => hci._aclConnections.has(handle));
      return flush();
    };
  }

  /** noble keeps to itself why an adapter may not be opened. */
  #tellRefusals(reject: (error: Error) => void): void {
    const { socket } = this.#options;
    const bind = socket.bindRaw.bind(socket);
    const told = (...given: Parameters<HciSocket['bindRaw']>): unknown => {
      try {
        return bind(...given);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        reject(new Misconfigured('BLE_PERMISSION', message, { cause: error }));
        throw error;
      }
    };
    // The method of the native class cannot be assigned to.
    Object.defineProperty(socket, 'bindRaw', { value: told });
  }

  #hear(reject: (error: Error) => void): void {
    const { adapter, socket, events } = this.#options;
    const hci = this.#hci;
    const joiner = new FragmentJoiner();
    socket.on('lost', (error: Error) => {
      const message = `${adapter} is gone: ${error.message}`;
      this.#lose(new Unreachable('BLE_ADAPTER_LOST', message, { cause: error }), reject);
    });
    hci.on('leAdvertisingReport', (...[, type, address, addressType, bytes, rssi]: Legacy) => {
      // Vol 4 Part E, 7.7.65.2: 0 and 1 are connectable, 4 is a scan response.
      const kind = { connectable: type <= 1, response: type === 4 };
      events.heard({ address, random: addressType === 'random', rssi, bytes, ...kind });
    });
    hci.on(
      'leExtendedAdvertisingReport',
      (...[, type, address, addressType, , rssi, bytes]: Extended) => {
        const whole = joiner.take(address, type, bytes);
        if (whole === undefined) return;
        // 7.7.65.13: bit 0 connectable, bit 3 scan response.
        const kind = { connectable: (type & 1) !== 0, response: (type & 8) !== 0 };
        events.heard({ address, random: addressType === 'random', rssi, bytes: whole, ...kind });
      },
    );
    hci.on('leConnComplete', (...event: Complete) => this.#completed(event));
    hci.on('disconnComplete', (handle: number, reason: number) => {
      this.#links.get(handle)?.lose(new LinkError(reason));
      this.#links.delete(handle);
    });
    hci.on('encryptChange', (handle: number, on: number) => this.#links.get(handle)?.encrypted(on));
    hci.on('aclDataPkt', (handle: number, channel: number, bytes: Buffer) =>
      this.#links.get(handle)?.take(channel, bytes),
    );
  }

  #completed([status, handle, role, , address]: Complete): void {
    const attempt = this.#attempt;
    // Through the kernel we hear of connections of other programs too.
    if (role === 1 || (status === 0 && attempt?.address !== address)) return;
    this.#stuck = false;
    attempt?.ended(status, handle);
  }

  /** Ends an attempt that nobody waits for any more; the controller says that it has ended, or it hangs. */
  #cancel(attempt: Attempt): void {
    if (this.#attempt !== attempt) return;
    this.#hci.cancelConnect();
    this.#cancelling = this.#options.clock.after(CANCEL_MS, () => {
      if (this.#attempt !== attempt) return;
      this.#stuck = true;
      attempt.ended(CANCELLED, 0);
    });
  }

  #link(handle: number, peer: Peer): Link {
    const link = new NobleLink({
      hci: this.#hci,
      handle,
      peer,
      acl: this.#options.acl,
      answersSignals: this.#options.device === undefined,
    });
    this.#links.set(handle, link);
    return link;
  }

  /** Most controllers cannot listen while they make a connection. */
  #listen(): void {
    if (this.#closed) return;
    const on = this.#wanted && this.#attempt === undefined;
    this.#hci.setScanEnabled(false, true);
    if (!on) return;
    this.#hci.setScanParameters();
    this.#hci.setScanEnabled(true, false);
  }

  #lose(error: Error, starting: (error: Error) => void): void {
    starting(error);
    if (this.#closed) return;
    this.close();
    this.#options.events.lost(error);
  }
}

type Legacy = [
  status: number,
  type: number,
  address: string,
  addressType: string,
  bytes: Buffer,
  rssi: number,
];
type Extended = [
  status: number,
  type: number,
  address: string,
  addressType: string,
  txPower: number,
  rssi: number,
  bytes: Buffer,
];
type Complete = [
  status: number,
  handle: number,
  role: number | undefined,
  addressType: string | undefined,
  address: string | undefined,
];
