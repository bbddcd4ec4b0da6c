/**
 * Keeps the edge in touch with the cloud: opens a wire, runs a session on it, and after a loss tries again with
 * backoff, for ever. Devices never notice.
 */
import type { Clock, Log } from '@limpet/dmi';
import type { CallDoor, NodeFacts } from '@limpet/dmi/manifest';
import { Backoff } from '../kernel/backoff.ts';
import type { AskedDoors } from './asked.ts';
import { diagnose, type Fault } from './diagnose.ts';
import { FactsTeller } from './facts-teller.ts';
import { readFromCloud } from './from-cloud.ts';
import type { SyncedPast } from './past.ts';
import { Progress } from './progress.ts';
import { type SessionEnd, type SyncedTwins, SyncSession } from './session.ts';
import type { Dial, Wire } from './wire.ts';

/**
 * `none`: no cloud is configured. `connecting`: not reached yet since the start. `connected`: welcomed.
 * `offline`: not reached; tried again and again.
 */
type LinkState = 'none' | 'connecting' | 'connected' | 'offline';

export interface LinkStatus {
  readonly state: LinkState;
  /** ms since 1970. */
  readonly since: number;
  /** Why the last connection, or the last attempt, ended. */
  readonly error?: Fault;
}

/** More of it, for whoever asks why something is not in the cloud. */
export interface LinkLook extends LinkStatus {
  /** Attempts since it was connected last. */
  readonly attempts: number;
  /** When the next one is made. ms since 1970. */
  readonly nextMs?: number;
}

export interface LinkedTwins extends SyncedTwins {
  onChange(listener: () => void): () => void;
}

interface LinkedPast extends SyncedPast {
  onWritten(listener: () => void): () => void;
}

export interface LinkOptions {
  readonly node: string;
  readonly twins: LinkedTwins;
  /** What the node tells of itself; asked on connecting and every 30 s, told when it changed. */
  readonly facts: () => NodeFacts;
  readonly dial: Dial;
  /** Runs methods of this node's devices; without it, the cloud is told that there are no calls. */
  readonly call?: CallDoor;
  /** Tells what the cloud asks; without it, the cloud is told that it may not. */
  readonly asked?: AskedDoors;
  /** History; without it, the cloud is told none. */
  readonly past?: LinkedPast;
  readonly clock: Clock;
  readonly log: Log;
  /** Uniform in [0, 1), for the backoff. */
  readonly random?: () => number;
}

interface Connection {
  readonly session: SyncSession;
  readonly teller: FactsTeller;
  wire: Wire | undefined;
  end: SessionEnd | undefined;
  welcomed: boolean;
}

/** The edge's link to its cloud. */
export class CloudLink {
  readonly #options: LinkOptions;
  readonly #backoff: Backoff;
  readonly #listeners = new Set<(status: LinkStatus) => void>();
  #status: LinkStatus;
  #connection: Connection | undefined;
  #attempts = 0;
  /** On the monotonic clock. */
  #nextTryMs: number | undefined;
  readonly progress: Progress;
  #stopped = false;
  #scheduled = false;
  #cancels: (() => void)[] = [];

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.random === undefined ? {} : { random: options.random });
    this.#status = { state: 'connecting', since: options.clock.now() };
    this.progress = new Progress(options.clock);
  }

  start(): void {
    const { twins, past } = this.#options;
    const unlisten = [
      twins.onChange(() => this.#changed()),
      past?.onWritten(() => setImmediate(() => this.#connection?.session.pastWritten())),
    ];
    this.#cancels.push(() => unlisten.forEach((cancel) => cancel?.()));
    this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#cancels.splice(0)) cancel();
    const connection = this.#connection;
    connection?.session.closed();
    connection?.teller.stop();
    connection?.wire?.close();
  }

  status(): LinkStatus {
    return this.#status;
  }

  look(): LinkLook {
    const { clock } = this.#options;
    const next = this.#nextTryMs;
    return {
      ...this.#status,
      attempts: this.#attempts,
      ...(next !== undefined && { nextMs: clock.now() + next - clock.monotonic() }),
    };
  }

  /** The node tells something new of itself that nobody should wait for. */
  factsChanged(): void {
    if (this.#status.state === 'connected') this.#connection?.teller.hasten();
  }

  onStatus(listener: (status: LinkStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Coalesced per turn of the event loop: a batch of readings goes up as one page, at once. */
  #changed(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#connection?.session.changed();
    });
  }

  #connect(): void {
    this.#attempts++;
    this.#nextTryMs = undefined;
    const { node, twins, dial, facts, clock, call, past, asked } = this.#options;
    let hello: NodeFacts | undefined;
    const session = new SyncSession({
      node,
      twins,
      call,
      asked,
      past: past && { of: past, monotonic: () => clock.monotonic() },
      progress: this.progress,
      send: (message) => connection.wire?.send(JSON.stringify(message)),
      close: (end) => {
        connection.end = end;
        connection.wire?.close();
      },
      welcomed: () => {
        connection.welcomed = true;
        if (hello !== undefined) connection.teller.start(hello);
        this.#up();
      },
    });
    const teller = new FactsTeller({ clock, facts, send: (told) => session.facts(told) });
    const connection: Connection = {
      session,
      teller,
      wire: undefined,
      end: undefined,
      welcomed: false,
    };
    this.#connection = connection;
    try {
      connection.wire = dial({
        opened: () => session.opened((hello = facts())),
        received: (text) => this.#received(connection, text),
        closed: (fault) => this.#closed(connection, fault),
      });
    } catch (error) {
      this.#closed(connection, diagnose(error));
    }
  }

  #received(connection: Connection, text: string): void {
    try {
      connection.session.received(readFromCloud(text));
    } catch (error) {
      // A message that cannot be used, or a bug in using it: this conversation cannot go on, the next may.
      const { code, message } = diagnose(error);
      connection.session.closed();
      connection.end ??= { kind: 'own', code, message, cause: error };
      connection.wire?.close();
    }
  }

  #up(): void {
    const { clock, log } = this.#options;
    const downMs = clock.now() - this.#status.since;
    log.info('cloud link up', { attempts: this.#attempts, downMs });
    this.#set({ state: 'connected', since: clock.now() });
  }

  #closed(connection: Connection, fault: Fault & { readonly retryAfter?: number }): void {
    connection.session.closed();
    connection.teller.stop();
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    if (this.#stopped) return;
    const { clock } = this.#options;
    const error = connection.end ?? fault;
    this.#tell(connection, error);
    // Only a conversation that was cut makes a fresh start; one that was refused, or that this side had to end
    // (a full disk), would end the same way at once.
    if (connection.welcomed && connection.end === undefined) this.#backoff.reset();
    if (connection.welcomed) this.#attempts = 0;
    const delayMs = error.retryAfter ?? this.#backoff.next();
    for (const cancel of this.#cancels.splice(1)) cancel();
    this.#nextTryMs = clock.monotonic() + delayMs;
    this.#cancels.push(clock.after(delayMs, () => this.#connect()));
  }

  /** Tells a transition: up to down, or another cause than the last one. */
  #tell(connection: Connection, { code, message }: Fault): void {
    const { clock, log } = this.#options;
    const was = this.#status;
    const upMs = clock.now() - was.since;
    if (was.state === 'connected') {
      this.#set({ state: 'offline', since: clock.now(), error: { code, message } });
    } else {
      const since = was.state === 'offline' ? was.since : clock.now();
      this.#set({ state: 'offline', since, error: { code, message } });
      if (was.error?.code === code) return;
    }
    const cause = connection.end?.cause;
    const fields = { code, cause: message, ...(cause === undefined ? {} : { error: cause }) };
    if (connection.end?.kind === 'refused') log.warn('cloud link refused', fields);
    else if (connection.welcomed) log.warn('cloud link lost', { ...fields, upMs });
    else log.warn('cloud not reached', fields);
  }

  #set(status: LinkStatus): void {
    const before = this.#status.state;
    this.#status = status;
    if (before !== status.state) for (const listener of this.#listeners) listener(status);
  }
}
