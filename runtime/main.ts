/** The edge of one node, put together: the only place of the runtime where its parts are made and wired. */
import path from 'node:path';
import process from 'node:process';
import { DmiError, type Log, Misconfigured } from '@limpet/dmi';
import { type CallDoor, formatFaults, type NodeFacts } from '@limpet/dmi/manifest';
import packageJson from '../package.json' with { type: 'json' };
import type { FrontCounts } from '#protocol/api';
import { readArguments, USAGE } from './arguments.ts';
import { askedDoors } from './asked.ts';
import { LocalApi } from './api/local-api.ts';
import { LocalBackend } from './api/local-backend.ts';
import { Broker } from './bus/broker.ts';
import { EventBus } from './bus/event-bus.ts';
import { filesAfterCloud } from './cloud-first.ts';
import { type EdgeConfig, readConfig } from './config.ts';
import { Devices } from './device/registry.ts';
import type { Budgets } from './health/budgets.ts';
import { nodeFacts } from './health/facts.ts';
import { LagWatch } from './health/lag.ts';
import { mapperFacts } from './health/mapper-facts.ts';
import { metricsText } from './health/metrics.ts';
import { openBudgets } from './health/open-budgets.ts';
import { type Disk, openDisk } from './health/open-disk.ts';
import { systemClock } from './kernel/clock.ts';
import { createLog } from './kernel/log.ts';
import { Scope } from './kernel/scope.ts';
import { ManifestFolder, type ManifestLimits } from './manifest-folder.ts';
import { type MapperTable, MapperHost } from './mapper/host.ts';
import { type AskedDoors } from './sync/asked.ts';
import { CloudLink } from './sync/link.ts';
import { cloudUrl } from './sync/target.ts';
import { dialWebSocket } from './sync/wire.ts';
import { HistoryDoor } from './twin/history.ts';
import { StoreError, TwinStore } from './twin/store.ts';

const clock = systemClock;
const { version } = packageJson;

export interface EdgeOptions {
  readonly config: EdgeConfig;
  readonly log: Log;
  /** Mappers that a bundle carries; others are found by package name. */
  readonly mappers?: MapperTable | undefined;
}

export interface Edge {
  close(): Promise<void>;
}

/**
 * Starts the edge of one node. When a part cannot start, what was started is closed again.
 * @throws Misconfigured what the operator must mend; StoreError when the data folder cannot be used
 */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const scope = new Scope();
  try {
    await wire(options, scope);
  } catch (error) {
    await scope.close();
    throw error;
  }
  return { close: () => scope.close() };
}

async function wire({ config, log, mappers }: EdgeOptions, scope: Scope): Promise<void> {
  const { node } = config;
  // A wrong address is told before anything is started.
  const url = config.cloud === undefined ? undefined : cloudUrl(config.cloud);
  const ground = await openGround({ config, log, mappers }, scope);
  const { budgets, host, store, facts } = ground;

  const files = openManifests(config, { store, limits: budgets.manifestLimits }, { log, scope });
  const refilled = url !== undefined && store.opened.kind !== 'existing';
  if (!refilled) files?.start();
  const history = await openHistory(config, ground, log);
  const devices = new Devices({ store, host, clock, log, node });
  scope.add(() => devices.stop());
  // Before the devices, so that a stop of the edge is not told as one of theirs.
  scope.add(() => history.close());
  devices.start();
  scope.add(host.onReplaced((protocol) => devices.remapped(protocol)));

  const lag = new LagWatch(clock, log);
  scope.add(() => lag.stop());
  lag.start();

  const { bus, broker } = await openBus(config, store, { log, scope });
  const { call, capture } = devices;
  const { doors, linked } = askedDoors({ node, store, devices, host, facts, lag, clock });
  const backend = new LocalBackend({ node, store, facts, clock, history, call, capture, ...doors });
  scope.add(() => backend.close());
  budgets.onMapperState(() => backend.nodeChanged());
  const socket = path.join(config.data, 'limpet.sock');
  const metrics = metricsOf({ facts, store, devices, lag, broker });
  const api = await LocalApi.start({ path: socket, backend, version, clock, log, metrics });
  scope.add(() => api.close());
  if (url === undefined) bus?.start('none');
  else
    linked(
      joinCloud(
        url,
        {
          config,
          store,
          facts,
          budgets,
          bus,
          call,
          doors,
          history,
          files: refilled ? files : undefined,
        },
        { log, scope },
      ),
    );
  log.info('edge started', { node, data: config.data, bus: config.bus ?? 'off', cloud: url?.host });
}

interface Measured {
  readonly facts: () => NodeFacts;
  readonly store: TwinStore;
  readonly devices: Devices;
  readonly lag: LagWatch;
  readonly broker: Broker | undefined;
}

function metricsOf({ facts, store, devices, lag, broker }: Measured) {
  return (counts: FrontCounts): string => {
    const { status } = devices;
    return metricsText(facts(), {
      ...status,
      devices: status.states,
      lagMs: lag.lagMs,
      store: { ...store.counters },
      bus: broker?.counters() ?? {},
      api: { ...counts },
    });
  };
}

interface Ground {
  readonly budgets: Budgets;
  readonly disk: Disk;
  readonly host: MapperHost;
  readonly store: TwinStore;
  readonly facts: () => NodeFacts;
}

/** What everything else stands on: memory and disk shared out, the mappers known, the store open. */
async function openGround({ config, log, mappers }: EdgeOptions, scope: Scope): Promise<Ground> {
  const budgets = openBudgets(config.memory, { clock, log, scope });
  const host = await MapperHost.open({
    clock,
    log,
    data: config.data,
    terms: config,
    guard: budgets.guard,
    table: mappers,
  });
  scope.add(() => host.stop());
  const again = (): void => void host.refresh();
  process.on('SIGHUP', again);
  scope.add(() => void process.off('SIGHUP', again));
  budgets.agree(host.status());
  const disk = openDisk(config, () => host.scratches(), { clock, log, scope });
  budgets.add(disk);
  const store = TwinStore.open({
    path: path.join(config.data, 'twins.db'),
    clock,
    log,
    limits: { nodeProperties: budgets.maxProperties, valueBytes: budgets.valueBytes },
    ...disk.twins,
  });
  scope.add(() => store.close());
  disk.watch();
  budgets.sheds('caches', {
    name: 'sqliteCaches',
    shed: () => (store.shrink(), 1),
  });
  budgets.start(host);
  const facts = (): NodeFacts =>
    nodeFacts({
      version,
      mappers: mapperFacts(host.status(), (protocol) => budgets.taken(protocol)),
      budget: budgets.facts(),
    });
  return { budgets, disk, host, store, facts };
}

/** After the manifests, before the devices: nothing that is reported is missed. */
async function openHistory(
  { data }: EdgeConfig,
  { store, disk, budgets }: Ground,
  log: Log,
): Promise<HistoryDoor> {
  const file = path.join(data, 'samples.db');
  const history = new HistoryDoor({ path: file, store, clock, log, ...disk.samples });
  budgets.add(history);
  budgets.sheds('samples', history);
  disk.note('samples', history.note);
  await history.start();
  return history;
}

interface Surroundings {
  readonly log: Log;
  readonly scope: Scope;
}

function openManifests(
  { node, manifests }: EdgeConfig,
  { store, limits }: { readonly store: TwinStore; readonly limits: ManifestLimits },
  { log, scope }: Surroundings,
): ManifestFolder | undefined {
  if (manifests === undefined) return undefined;
  const refill = store.opened.kind !== 'existing';
  const folder = new ManifestFolder({
    folder: manifests,
    node,
    target: store,
    refill,
    clock,
    log,
    limits,
  });
  scope.add(() => folder.stop());
  const again = (): void => void folder.apply();
  process.on('SIGHUP', again);
  scope.add(() => void process.off('SIGHUP', again));
  return folder;
}

/** `files`: those that wait until the cloud was heard. */
interface Joining {
  readonly config: EdgeConfig;
  readonly store: TwinStore;
  readonly facts: () => NodeFacts;
  readonly budgets: Budgets;
  readonly bus: EventBus | undefined;
  readonly call: CallDoor;
  readonly doors: AskedDoors;
  readonly history: HistoryDoor;
  readonly files: ManifestFolder | undefined;
}

function joinCloud(url: URL, joining: Joining, { log, scope }: Surroundings): CloudLink {
  const { config, store, facts, budgets, bus, call, doors, history, files } = joining;
  const dial = dialWebSocket({
    url,
    clock,
    ...(config.ca !== undefined && { ca: config.ca }),
    ...(config.tokenFile !== undefined && { tokenFile: config.tokenFile }),
  });
  const link = new CloudLink({
    node: config.node,
    twins: store,
    past: history,
    facts,
    dial,
    call,
    asked: doors,
    clock,
    log,
  });
  scope.add(() => link.stop());
  budgets.onMapperState(() => link.factsChanged());
  link.onStatus(({ state }) => bus?.cloud(state));
  bus?.start('connecting');
  link.start();
  if (files !== undefined) scope.add(filesAfterCloud({ link, store, files, clock, log }));
  return link;
}

async function openBus(
  { bus, node }: EdgeConfig,
  store: TwinStore,
  { log, scope }: Surroundings,
): Promise<{ readonly bus?: EventBus; readonly broker?: Broker }> {
  if (bus === undefined) return {};
  const broker = await Broker.open({ listen: bus, clock, log });
  scope.add(() => broker.close());
  const eventBus = new EventBus({ node, version, twins: store, broker, clock, log });
  scope.add(() => eventBus.stop());
  return { bus: eventBus, broker };
}

/** The whole program of a board: arguments, signals, exit codes (0 done, 1 failed, 2 usage, 78 configuration). */
export async function runEdge(mappers?: MapperTable): Promise<void> {
  const args = readArguments();
  if (args === undefined) return exitWith(2, USAGE);
  const read = readConfig(args.config);
  if (!read.ok) return exitWith(78, `${formatFaults(read.faults)}\n`);
  const log = createLog({ out: process.stderr, clock, level: args.level });
  // A bug outside of every device's scope: the state is on disk, so the safe thing is to start afresh.
  process.on('uncaughtException', (error) => {
    log.error('edge stops: a bug', { error });
    process.exit(1);
  });
  const stop = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.resolve());
  let edge: Edge;
  try {
    edge = await startEdge({ config: read.config, log, ...(mappers && { mappers }) });
  } catch (error) {
    // A table is for people: the log keeps it on one line.
    if (error instanceof Misconfigured && error.message.includes('\n')) {
      process.stderr.write(`${error.message}\n`);
    }
    const known = error instanceof DmiError || error instanceof StoreError;
    log.error('edge cannot start', known ? { code: error.code, reason: error.message } : { error });
    process.exit(error instanceof Misconfigured ? 78 : 1);
  }
  await stop.promise;
  try {
    await edge.close();
  } catch (error) {
    log.error('edge stopped, and not all of it in good order', { error });
    process.exit(1);
  }
  log.info('edge stopped', { node: read.config.node });
  process.exit(0);
}

function exitWith(code: number, message: string): void {
  process.stderr.write(message);
  process.exitCode = code;
}
