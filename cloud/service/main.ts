/** The cloud service: store, API and hub on one port. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, type Log, Misconfigured } from '@limpet/dmi';
import { ApiFront, type FrontCounts, bearerToken, SERVER_OPTIONS, tokenCheck } from '#protocol/api';
import workspace from '../../package.json' with { type: 'json' };
import { AccessLog } from './access-log.ts';
import { CloudBackend } from './backend.ts';
import { Hub } from './hub/hub.ts';
import { leaveAll } from './hub/presence.ts';
import { cloudMetrics } from './metrics.ts';
import { page } from './page/page.ts';
import { HistoryKeeper } from './history/keeper.ts';
import { openQueries } from './query/open.ts';
import { answering, type Queries } from './query/queries.ts';
import { queryLanguage } from './rollout/language.ts';
import { RolloutRunner } from './rollout/runner.ts';
import {
  checkSettings,
  type CloudSettings,
  type Listening,
  placeOf,
  retentionOf,
} from './settings.ts';
import type { Standings } from './standing/standings.ts';
import { StandingSockets } from './standing/socket.ts';
import { standingsOf } from './standing/over-store.ts';
import { StoreUnusable } from './store/errors.ts';
import { storeRefusal } from './store-refusal.ts';
import { CloudStore } from './store/store.ts';

export interface CloudOptions extends CloudSettings {
  readonly log: Log;
  /** How often edges are asked for a sign of life. Default 15 s. */
  readonly heartbeatMs?: number;
}

export interface CloudService {
  /** Of the API; the hub is at `/hub` below it. */
  readonly url: string;
  /** Resolves when the store can keep nothing any more: the service should be closed, and started anew. */
  readonly lost: CloudStore['lost'];
  /** Resolves when everything accepted is on the disk and the port is free. Safe to call twice. */
  close(): Promise<void>;
}

/** Beyond so many writes that wait, requests go better to another service. */
const BUSY = 10_000;
/** Requests under way have this long to end once the service stops. */
const GRACE_MS = 2000;

/** For delays of minutes at most. */
const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
  after: (ms, task) => {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
};

/**
 * Resolves when the service answers.
 * @throws Misconfigured (the command line or the database has to change), StoreUnusable (somebody has to act),
 * or the system's error when the port cannot be had.
 */
export async function startCloud(options: CloudOptions): Promise<CloudService> {
  const { log } = options;
  const listening = checkSettings(options, log);
  const { accessLog: to } = options;
  const access = to === undefined ? undefined : AccessLog.open({ to, clock, log });
  const { store, path } = await openStore(options);
  const queries = openQueries({ store, path, clock, log });
  const service = await serve({ store, access, queries }, listening, options);
  log.info('cloud listening', { url: service.url });
  return service;
}

interface Opened {
  readonly store: CloudStore;
  /** Of SQLite's file. */
  readonly path: string | undefined;
}

async function openStore(options: CloudOptions): Promise<Opened> {
  const { log } = options;
  const history = retentionOf(options);
  try {
    const place = placeOf(options, log);
    const store = await CloudStore.open({ path: place, clock, log, history });
    return { store, path: typeof place === 'string' ? place : undefined };
  } catch (error) {
    if (!(error instanceof StoreUnusable) || error.exit !== 78) throw error;
    throw new Misconfigured(error.code, error.message, { cause: error });
  }
}

interface Parts {
  readonly store: CloudStore;
  readonly access: AccessLog | undefined;
  readonly queries: Queries;
}

/** Everything, until it stops. @throws the system's error when the port cannot be had */
async function serve(
  parts: Parts,
  listening: Listening,
  options: CloudOptions,
): Promise<CloudService> {
  const { store } = parts;
  const { log } = options;
  const { server, keeper, rollouts, stop } = wire(parts, listening, options);
  try {
    await store.commit.run((tx) => leaveAll(tx));
    await listen(server, listening.host, listening.port);
    keeper.start();
    await rollouts.start();
  } catch (error) {
    await stop();
    throw error;
  }
  const close = async (): Promise<void> => {
    log.info('cloud stopping');
    await stop();
    log.info('cloud stopped');
  };
  let stopped: Promise<void> | undefined;
  const url = urlOf(server, listening.host, listening.tls ? 'https' : 'http');
  return { url, lost: store.lost, close: () => (stopped ??= close()) };
}

function wire(
  { store, access, queries }: Parts,
  { tls, tokens }: Listening,
  { log, heartbeatMs }: CloudOptions,
) {
  const known = tokens && tokenCheck(tokens);
  const authorized = known && ((request: IncomingMessage) => known(tokenOf(request)));
  const server = serverOf(tls);
  const keeper = new HistoryKeeper(store, { clock, log });
  const rollouts = new RolloutRunner({ store, language: queryLanguage, clock, log });
  const hub = new Hub({
    store,
    clock,
    log,
    ...(authorized && { authorized }),
    ...(heartbeatMs !== undefined && { heartbeatMs }),
  });
  const standings = standingsOf(store, { clock, log });
  const front = new ApiFront({
    backend: answering(new CloudBackend(store, (...asked) => hub.call(...asked), hub), queries),
    version: workspace.version,
    clock,
    log,
    ...(known && { authorize: known }),
    ...ownWords({ store, hub, queries, standings }, access),
    standing: standings,
  });
  front.attach(server);
  hub.attach(server, new StandingSockets({ door: standings, clock, log, authorized }));
  const stop = async (): Promise<void> => {
    front.close();
    await standings.close();
    const closed = new Promise((resolve) => server.close(resolve));
    await hub.close();
    const cut = setTimeout(() => server.closeAllConnections(), GRACE_MS);
    await closed;
    clearTimeout(cut);
    await Promise.all([keeper.stop(), rollouts.close(), queries.close()]);
    await store.close();
    access?.close();
  };
  return { server, keeper, rollouts, stop };
}

function serverOf(tls: Listening['tls']): Server {
  if (tls === undefined) return createServer(SERVER_OPTIONS);
  return createTlsServer({ ...SERVER_OPTIONS, ...tls, minVersion: 'TLSv1.2' });
}

/** What the service says of itself, and to whom it tells of requests. */
function ownWords(
  {
    store,
    hub,
    queries,
    standings,
  }: { store: CloudStore; hub: Hub; queries: Queries; standings: Standings },
  access: AccessLog | undefined,
) {
  return {
    files: page(),
    ailment: () => ailmentOf(store),
    failure: storeRefusal,
    unready: () => {
      const { waiting } = store.commit;
      return waiting > BUSY ? `${waiting} writes wait for the store` : undefined;
    },
    metrics: (api: FrontCounts) => {
      const { durations, failures, waiting } = store.commit;
      return cloudMetrics({
        version: workspace.version,
        hub: hub.counts(),
        store: { commits: durations.look(), failures, waiting, failing: store.failing() },
        api,
        queries: queries.counts(),
        standing: standings.counts(),
      });
    },
    ...(access && { access: access.note }),
  };
}

function tokenOf({ headers }: IncomingMessage): string {
  return bearerToken(headers.authorization) ?? '';
}

function urlOf(server: Server, host: string, scheme: 'http' | 'https'): string {
  const { port } = server.address() as AddressInfo;
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function ailmentOf(store: CloudStore): string | undefined {
  const failing = store.failing();
  return failing === undefined ? undefined : `the last write to the disk failed (${failing})`;
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: 1024 }, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}
