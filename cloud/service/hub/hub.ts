/**
 * The WebSocket end of the cloud: takes connections at /hub, runs a session on each, and keeps one per node. Its
 * memory is bounded by what sessions allow, one desire page and one acknowledgement in flight each, and by `Intake`.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock, Log } from '@limpet/dmi';
import type { CallOutcome } from '@limpet/dmi/manifest';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Asked } from '#protocol';
import type { CloudFigures } from '../metrics.ts';
import type { Changed } from '../store/touched.ts';
import type { CloudStore } from '../store/store.ts';
import { type Asking, notAsked } from './asks.ts';
import { type CallAsked, notConnected } from './calls.ts';
import { Connection } from './connection.ts';
import { Intake } from './intake.ts';
import { refuseUpgrade } from './refuse-upgrade.ts';
import { Reports } from './reports.ts';
import { CloudSession } from './session.ts';

export interface HubOptions {
  readonly store: CloudStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether an upgrade request may come in. Default: everyone. */
  readonly authorized?: (request: IncomingMessage) => boolean;
  /** Default 15 s. */
  readonly heartbeatMs?: number;
  /** Default 50,000. */
  readonly maxConnections?: number;
  /** Uniform in [0, 1), to spread what comes back. */
  readonly random?: () => number;
}

/** Somebody else's WebSockets on the same port. */
export interface Upgrades {
  takes(request: IncomingMessage): boolean;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** 20 kB each. More than nodes: those cut off without a word count until they are missed. */
const MAX_CONNECTIONS = 50_000;
const MAX_PAYLOAD = 4 * 1024 * 1024;
const HEARTBEAT_MS = 15_000;
/** Turned away for want of room or disk: come back within this. */
const RETRY_MS = { least: 5_000, most: 60_000 };

export class Hub {
  readonly #options: HubOptions;
  readonly #server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MAX_PAYLOAD,
    clientTracking: false,
  });
  readonly #intake = new Intake();
  readonly #connections = new Set<Connection>();
  /** The one live session of each node. */
  readonly #nodes = new Map<string, CloudSession>();
  readonly #unsubscribe: () => void;
  readonly #reports: Reports;
  #turnedAway = 0;
  /** By codes of ours: as many as there are. */
  readonly #sentAway = new Map<string, number>();
  #closing = false;
  /** Called when the last connection has closed, once closing. */
  #gone: () => void = () => undefined;

  constructor(options: HubOptions) {
    this.#options = options;
    this.#reports = new Reports(options.store);
    this.#unsubscribe = options.store.onChange((changed) => this.#wanted(changed));
  }

  /** Takes the upgrades of this server; `others` those that it says are its own. */
  attach(server: Server, others?: Upgrades): void {
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (others?.takes(request)) others.upgrade(request, socket, head);
      else this.#upgrade(request, socket, head);
    });
  }

  /** What is open and waits now; since the start: connections turned away, times that too much came in, edges sent away. */
  counts(): CloudFigures['hub'] {
    return {
      intake: this.#intake.counts(),
      connections: this.#connections.size,
      nodes: this.#nodes.size,
      turnedAway: this.#turnedAway,
      reports: this.#reports.counts(),
      sentAway: this.#sentAway,
    };
  }

  /** Runs a method of a device of this node, if its edge is here now. */
  async call(node: string, asked: CallAsked, signal: AbortSignal): Promise<CallOutcome> {
    const answer = this.#nodes.get(node)?.call(asked, signal);
    if (answer) return answer;
    const known = await this.#options.store.read(({ nodes }) => nodes.get(node));
    return notConnected(node, known?.lastSeen);
  }

  /** Asks a node what only it knows, if its edge is here now. */
  async ask(node: string, about: Asked, signal: AbortSignal): Promise<Asking> {
    const answer = this.#nodes.get(node)?.ask(about, signal);
    if (answer) return answer;
    const known = await this.#options.store.read(({ nodes }) => nodes.get(node));
    return notAsked(node, known?.lastSeen);
  }

  /** Sends everyone away; edges come back at times of their own. Resolves when all are gone. */
  close(): Promise<void> {
    this.#closing = true;
    this.#unsubscribe();
    for (const { session } of this.#connections) {
      session.refuse('SYNC_CLOUD_STOPPING', 'The cloud service is stopping.', 1000);
    }
    return new Promise((resolve) => {
      this.#gone = resolve;
      if (this.#connections.size === 0) resolve();
    });
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Until ws takes over, an error of the socket would have nobody to hear it and end the process.
    const onError = (): void => void socket.destroy();
    socket.on('error', onError);
    const refusal = this.#refusal(request);
    if (refusal) {
      if (refusal.code === 503) this.#turnedAway++;
      refuseUpgrade(socket, refusal);
      return;
    }
    socket.removeListener('error', onError);
    this.#server.handleUpgrade(request, socket, head, (webSocket) => this.#open(webSocket, socket));
  }

  #refusal(request: IncomingMessage): Parameters<typeof refuseUpgrade>[1] | undefined {
    const { authorized, maxConnections = MAX_CONNECTIONS } = this.#options;
    if (new URL(request.url ?? '/', 'http://hub').pathname !== '/hub') {
      return { code: 404, message: 'There is no WebSocket here: edges connect to /hub.' };
    }
    // A page in a browser must not reach a hub on the same machine.
    if (request.headers.origin !== undefined) {
      return { code: 403, message: 'The hub is for edges, not for browsers.' };
    }
    if (authorized && !authorized(request)) {
      return { code: 401, message: 'Expected the header Authorization: Bearer TOKEN.' };
    }
    if (this.#closing || this.#connections.size >= maxConnections) {
      const retryAfter = Math.ceil(this.#retryAfter() / 1000);
      return { code: 503, message: 'No room for another edge now.', retryAfter };
    }
    return undefined;
  }

  #open(webSocket: WebSocket, socket: Duplex): void {
    const { store, clock, log, heartbeatMs = HEARTBEAT_MS } = this.#options;
    const left = (): void => {
      const { node } = connection;
      if (node !== undefined && this.#nodes.get(node) === session) this.#nodes.delete(node);
    };
    const session = new CloudSession({
      store,
      reports: this.#reports,
      log,
      send: (message) => connection.send(message),
      close: (code, reason) => {
        left();
        this.#sentAway.set(reason, (this.#sentAway.get(reason) ?? 0) + 1);
        connection.close(code, reason);
      },
      admit: (node) => {
        this.#nodes.get(node)?.fence();
        this.#nodes.set(node, session);
        connection.node = node;
      },
      // Of all who leave with the service the next start takes note at once.
      here: (node) => this.#closing || this.#nodes.has(node),
      after: (ms, task) => clock.after(ms, task),
      retryAfter: () => this.#retryAfter(),
    });
    const closed = (): void => {
      this.#connections.delete(connection);
      left();
      if (this.#connections.size === 0) this.#gone();
    };
    const connection = new Connection({
      webSocket,
      socket,
      intake: this.#intake,
      session,
      clock,
      log,
      heartbeatMs,
      closed,
    });
    this.#connections.add(connection);
  }

  #wanted({ nodes }: Changed): void {
    if (nodes === 'all') {
      for (const session of this.#nodes.values()) session.wantedChanged();
      return;
    }
    for (const node of nodes) this.#nodes.get(node)?.wantedChanged();
  }

  #retryAfter(): number {
    const { random = Math.random } = this.#options;
    return Math.round(RETRY_MS.least + random() * (RETRY_MS.most - RETRY_MS.least));
  }
}
