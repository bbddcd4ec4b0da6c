/** One adapter and its life: opened while somebody uses it, listening, mended when it hangs, opened again when it is lost. */
import type { Duplex } from 'node:stream';
import { type Clock, DmiError, type Log, Unreachable, unlessAborted } from '@limpet/dmi';
import { openRadio } from './radio/open.ts';
import type { Package } from './radio/noble.ts';
import {
  FAILED_TO_ESTABLISH,
  type Link,
  LinkError,
  type Peer,
  type Radio,
  type Report,
} from './radio/radio.ts';
import type { AdapterAddress } from './settings.ts';
import { Slots } from './slots.ts';

/** Somebody who uses the adapter: a device, or a search. */
export interface AdapterUser {
  /** For messages. */
  readonly name: string;
  readonly noble: Package | undefined;
  readonly dial: (address: string, signal: AbortSignal) => Promise<Duplex>;
  /** What was dialled is the adapter's, and outlives the device. */
  readonly keep: ((stream: Duplex) => void) | undefined;
  /** The address it wants to hear; `undefined`: everybody. */
  readonly hears: string | undefined;
  heard(report: Report): void;
  /** The adapter is lost. Whether it shall be opened again by itself: the user has other ones, and stays. */
  lost(error: DmiError): boolean;
}

/** Before it is tried to open it again, by failures in a row: devices wait for it for some seconds, and back off by themselves. */
const AGAIN_MS = [0, 250, 500, 1_000, 2_000, 4_000];
/** Nobody heard for so long while listening: the scan is started anew; for twice as long: the adapter. */
const DEAF_MS = 60_000;
const WATCH_MS = 10_000;
/** A controller may fail to establish a link again and again: so many tries within one attempt. */
const TRIES = 4;
const JITTER_MS = [50, 250] as const;
/** A little more than the radio gives a cancelled attempt. */
const STUCK_MS = 2_500;

export class Adapter {
  readonly #address: AdapterAddress;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #users = new Set<AdapterUser>();
  readonly slots = new Slots(16);
  #radio: Radio | undefined;
  #opening: Promise<Radio> | undefined;
  #end = new AbortController();
  #failures: number;
  #lastReportMs = 0;
  #links = 0;
  /** Reports of addresses that nobody wants: dropped at once, nothing is kept of them. */
  #foreign = 0;
  #stopWatch: (() => void) | undefined;
  readonly #checks = new Set<() => void>();
  /** One connection is made at a time. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(address: AdapterAddress, clock: Clock, log: Log, failures = 0) {
    this.#failures = failures;
    this.#address = address;
    this.#clock = clock;
    this.#log = log.with({ adapter: address.name });
  }

  get name(): string {
    return this.#address.name;
  }

  /** To open it, in a row. */
  get failures(): number {
    return this.#failures;
  }

  get foreign(): number {
    return this.#foreign;
  }

  /** How many devices use it. */
  get users(): number {
    return this.#users.size;
  }

  join(user: AdapterUser): void {
    this.#users.add(user);
  }

  /** The last one closes it. */
  leave(user: AdapterUser): void {
    if (!this.#users.delete(user) || this.#users.size > 0) return;
    this.#end.abort(new Unreachable('BLE_ADAPTER_LOST', `${this.name} was closed`));
    this.#end = new AbortController();
    this.#close();
  }

  /** Resolves once it listens. @throws Unreachable, Misconfigured, or the signal's reason */
  async ready(signal: AbortSignal): Promise<void> {
    if (this.#radio === undefined) await unlessAborted(this.#open(), signal);
  }

  /**
   * A link to the peer: several tries where the air is bad. Whoever asks has a slot.
   * @throws Unreachable, or the signal's reason
   */
  async link(
    peer: Peer,
    options: { readonly supervisionMs: number },
    signal: AbortSignal,
  ): Promise<Link> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = before.then(() => promise);
    try {
      await unlessAborted(before, signal);
      return await this.#tries(peer, options, signal);
    } finally {
      resolve();
    }
  }

  async #tries(
    peer: Peer,
    options: { readonly supervisionMs: number },
    signal: AbortSignal,
  ): Promise<Link> {
    for (let left = TRIES - 1; ; left--) {
      await this.ready(signal);
      const radio = this.#radio;
      if (radio === undefined) throw new Unreachable('BLE_ADAPTER_LOST', `${this.name} was lost`);
      try {
        return this.#count(await radio.connect(peer, options, signal));
      } catch (error) {
        this.#resetIfStuck(radio);
        if (signal.aborted) throw signal.reason;
        if (!(error instanceof LinkError)) throw error;
        if (left > 0 && error.status === FAILED_TO_ESTABLISH) {
          const [least, most] = JITTER_MS;
          await this.#clock.sleep(least + Math.random() * (most - least), signal);
          continue;
        }
        const message = `${peer.address} cannot be connected to: ${error.message}`;
        throw new Unreachable('BLE_CONNECT', message, { cause: error });
      }
    }
  }

  /** A controller that does not end an attempt takes no other either. */
  #resetIfStuck(radio: Radio): void {
    const check = this.#clock.after(STUCK_MS, () => {
      this.#checks.delete(check);
      if (radio.stuck && this.#radio === radio)
        this.#reset('BLE_HUNG', 'it did not end a connection attempt');
    });
    this.#checks.add(check);
  }

  #count(link: Link): Link {
    this.#links++;
    void link.ended.then(() => {
      this.#links--;
      // While linked a device does not advertise: until now there may have been nobody to hear.
      this.#lastReportMs = this.#clock.monotonic();
    });
    return link;
  }

  #open(): Promise<Radio> {
    this.#opening ??= this.#openSoon().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  async #openSoon(): Promise<Radio> {
    const { signal } = this.#end;
    const wait = AGAIN_MS[Math.min(this.#failures, AGAIN_MS.length - 1)] ?? 0;
    if (wait > 0) await this.#clock.sleep(wait, signal);
    try {
      const [user] = this.#users;
      if (user === undefined) throw new Unreachable('BLE_ADAPTER_LOST', 'nobody uses it');
      const radio = await openRadio(
        {
          adapter: this.#address,
          noble: user.noble,
          clock: this.#clock,
          dial: user.dial,
          keep: user.keep,
          events: { heard: (report) => this.#heard(report), lost: (error) => this.#lost(error) },
        },
        signal,
      );
      signal.throwIfAborted();
      return this.#opened(radio);
    } catch (error) {
      if (!signal.aborted) this.#failures++;
      throw error;
    }
  }

  #opened(radio: Radio): Radio {
    this.#radio = radio;
    this.#lastReportMs = this.#clock.monotonic();
    radio.scan(true);
    this.#watch(radio);
    this.#log.info('bluetooth adapter opened', { failures: this.#failures });
    this.#failures = 0;
    return radio;
  }

  #heard(report: Report): void {
    this.#lastReportMs = this.#clock.monotonic();
    let wanted = false;
    for (const user of this.#users) {
      if (user.hears !== undefined && user.hears !== report.address) continue;
      wanted = true;
      user.heard(report);
    }
    if (!wanted) this.#foreign++;
  }

  /** Looks now and then whether anybody is heard at all. */
  #watch(radio: Radio): void {
    let rescanned = false;
    const look = (): void => {
      this.#stopWatch = this.#clock.after(WATCH_MS, look);
      const deafMs = this.#clock.monotonic() - this.#lastReportMs;
      if (deafMs < DEAF_MS) rescanned = false;
      else if (!rescanned) {
        rescanned = true;
        this.#log.debug('nobody heard: scan started anew', { deafMs });
        radio.scan(true);
        // Linked devices do not advertise, and would lose their links.
      } else if (deafMs >= 2 * DEAF_MS && this.#links === 0) {
        this.#reset('BLE_DEAF', `nobody was heard for ${Math.round(deafMs / 1000)} s`);
      }
    };
    this.#stopWatch = this.#clock.after(WATCH_MS, look);
  }

  #reset(code: string, why: string): void {
    this.#log.warn('bluetooth adapter is reset', { code, why });
    this.#radio?.close();
    this.#lost(new Unreachable(code, `${this.name} is reset: ${why}`));
  }

  #lost(error: Error): void {
    if (this.#radio === undefined) return;
    this.#close();
    const told =
      error instanceof DmiError
        ? error
        : new Unreachable('BLE_ADAPTER_LOST', `${this.name}: ${error.message}`, { cause: error });
    this.#log.warn('bluetooth adapter lost', { code: told.code, reason: told.message });
    // A copy: who hears of it may leave.
    const wanted = Array.from(this.#users).map((user) => user.lost(told));
    if (wanted.includes(true)) void this.#again();
  }

  /** Until it is open, or nobody wants it any more: whoever has another adapter does not ask for this one. */
  async #again(): Promise<void> {
    const { signal } = this.#end;
    // Each failure is counted, and makes the next attempt wait longer.
    while (!signal.aborted && this.#radio === undefined)
      await this.#open().catch((error: unknown) =>
        this.#log.debug('bluetooth adapter not opened again yet', { reason: String(error) }),
      );
  }

  #close(): void {
    this.#stopWatch?.();
    for (const stop of this.#checks) stop();
    this.#checks.clear();
    const radio = this.#radio;
    this.#radio = undefined;
    radio?.close();
  }
}
