/** What one connection is told by the server: monitored items in subscriptions, watched for silence. */
import {
  type Clock,
  type DmiError,
  type Log,
  type Reading,
  type Sink,
  Unreachable,
  type Wish,
} from '@limpet/dmi';
import { type DataValue, TimestampsToReturn } from 'node-opcua-data-value';
import {
  CreateMonitoredItemsRequest,
  type CreateMonitoredItemsResponse,
  CreateSubscriptionRequest,
  type CreateSubscriptionResponse,
  DataChangeFilter,
  DataChangeNotification,
  DeleteSubscriptionsRequest,
  type MonitoredItemCreateRequestOptions,
  type NotificationMessage,
  StatusChangeNotification,
} from 'node-opcua-types';
import type { Item, Items } from './items.ts';
import type { Publisher, Subscriber } from './publisher.ts';
import { readingOf, unknownIn } from './reading.ts';
import { complete, pieces, tooMuch } from './pieces.ts';
import type { Services } from './services.ts';
import type { Settings } from './settings.ts';
import { hasOverflow, isGood, serviceError, type Status } from './status.ts';
import type { Types } from './types.ts';
import type { NodeVisitor, Visitor } from './visitor.ts';

export interface WatchOptions {
  readonly services: Services;
  readonly publisher: Publisher;
  readonly types: Types;
  readonly items: Items;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Log;
}

/** Without a setting, published as often as the fastest wish, within these. */
const LEAST_MS = 50;
const MOST_MS = 10_000;
/** Some servers let a subscription hold so few items that there must be several. */
const MAX_SUBSCRIPTIONS = 16;
/** At most so many values in one message: it stays small, and the next is under way already. */
const MAX_NOTIFICATIONS = 1_000;
const REPORTING = 2;

interface Candidate {
  readonly index: number;
  readonly item: Item;
  readonly visitor: NodeVisitor;
  readonly everyMs: number;
}

/** Invariant: after its end, or a loss, the sink is told nothing more. */
export class Watch {
  readonly #options: WatchOptions;
  readonly #sink: Sink;
  readonly #signal: AbortSignal;
  readonly #subscriptions = new Map<number, { heardMs: number; readonly silentMs: number }>();
  readonly #items: (Candidate | undefined)[] = [];
  #last: { readonly index: number; readonly reading: Reading } | undefined;
  #cancel: (() => void) | undefined;
  #ended = false;
  /** Values that the server dropped because a queue was full. */
  #overflows = 0;

  /** `signal`: the end of the subscription. */
  constructor(options: WatchOptions, sink: Sink, signal: AbortSignal) {
    this.#options = options;
    this.#sink = sink;
    this.#signal = signal;
  }

  /** The indexes of what the server does not tell. @throws Unreachable; Refused when it has no subscriptions at all */
  async begin(wishes: readonly Wish<Visitor>[]): Promise<readonly number[]> {
    this.#signal.addEventListener('abort', this.#end, { once: true });
    try {
      const { candidates, polled } = this.#candidates(wishes);
      let left: readonly Candidate[] = candidates;
      for (let count = 0; left.length > 0 && count < MAX_SUBSCRIPTIONS; count++) {
        const before = left.length;
        left = await this.#subscribe(left, polled, count > 0);
        if (left.length === before) break;
      }
      polled.push(...left.map(({ index }) => index));
      this.#signal.throwIfAborted();
      this.#guard();
      return polled;
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  /** One subscription with as many of these as the server takes; returns those that another may take. */
  async #subscribe(
    candidates: readonly Candidate[],
    polled: number[],
    more: boolean,
  ): Promise<readonly Candidate[]> {
    const { services, publisher } = this.#options;
    const created = await this.#create(candidates, more);
    if (created === undefined) return candidates;
    const { id, keepAliveMs } = created;
    const state = { heardMs: this.#now(), silentMs: this.#silentMs(keepAliveMs) };
    this.#subscriptions.set(id, state);
    publisher.add(id, this.#subscriber(state), keepAliveMs);
    const left: Candidate[] = [];
    for (const some of pieces(candidates, services.limits.monitor)) {
      // It has told us already that it is full.
      if (left.length > 0) left.push(...some);
      else left.push(...(await this.#monitor(id, some, polled)));
    }
    return left;
  }

  /** Undefined: the server has no room for one more. */
  async #create(
    candidates: readonly Candidate[],
    more: boolean,
  ): Promise<{ id: number; keepAliveMs: number } | undefined> {
    const { services, settings } = this.#options;
    const fastest = candidates.reduce((least, { everyMs }) => Math.min(least, everyMs), MOST_MS);
    const publishingMs = settings.publishingMs ?? Math.max(fastest, LEAST_MS);
    const keepAlive = Math.max(1, Math.round(settings.keepAliveMs / publishingMs));
    const lifetime = Math.max(3 * keepAlive, Math.ceil(settings.sessionMs / publishingMs));
    const request = new CreateSubscriptionRequest({
      requestedPublishingInterval: publishingMs,
      requestedMaxKeepAliveCount: keepAlive,
      requestedLifetimeCount: lifetime,
      maxNotificationsPerPublish: MAX_NOTIFICATIONS,
      publishingEnabled: true,
      priority: 0,
    });
    try {
      const answer = await services.session.ask<CreateSubscriptionResponse>(request, this.#signal);
      const keepAliveMs = answer.revisedPublishingInterval * answer.revisedMaxKeepAliveCount;
      return { id: answer.subscriptionId, keepAliveMs };
    } catch (error) {
      const { code } = error as DmiError;
      if (more && code === 'OPCUA_BAD_TOO_MANY_SUBSCRIPTIONS') return undefined;
      throw error;
    }
  }

  async #monitor(
    subscriptionId: number,
    candidates: readonly Candidate[],
    polled: number[],
  ): Promise<readonly Candidate[]> {
    const { services, log } = this.#options;
    for (const candidate of candidates) this.#items[candidate.index] = candidate;
    const request = new CreateMonitoredItemsRequest({
      subscriptionId,
      timestampsToReturn: TimestampsToReturn.Source,
      itemsToCreate: candidates.map(monitored),
    });
    const answer = await services.session
      .ask<CreateMonitoredItemsResponse>(request, this.#signal)
      .catch((error: unknown) => {
        if (tooMuch(error) === undefined || candidates.length === 1) throw error;
      });
    if (answer === undefined) {
      // It takes less at once than it says.
      const half = Math.ceil(candidates.length / 2);
      const left = await this.#monitor(subscriptionId, candidates.slice(0, half), polled);
      const rest = candidates.slice(half);
      return [
        ...left,
        ...(left.length > 0 ? rest : await this.#monitor(subscriptionId, rest, polled)),
      ];
    }
    const results = complete(answer.results, candidates.length, 'CreateMonitoredItems');
    const left: Candidate[] = [];
    for (const [at, candidate] of candidates.entries()) {
      const status = results[at]?.statusCode as unknown as Status;
      if (isGood(status)) continue;
      this.#items[candidate.index] = undefined;
      if (status.name === 'BadTooManyMonitoredItems') left.push(candidate);
      else polled.push(candidate.index);
      log.debug('not monitored', { node: candidate.item.wanted.name, status: status.name });
    }
    return left;
  }

  #subscriber(state: { heardMs: number }): Subscriber {
    return {
      take: async (message) => {
        state.heardMs = this.#now();
        await this.#take(message);
      },
      lost: (error) => this.lose(error),
    };
  }

  async #take(message: NotificationMessage): Promise<void> {
    const all = message.notificationData ?? [];
    // Nothing new, but the device was heard: told again, so that a later gap begins no earlier than now.
    if (all.length === 0 && this.#last !== undefined)
      this.#tell(this.#last.index, this.#last.reading);
    for (const notification of all) {
      if (notification instanceof DataChangeNotification) {
        for (const { clientHandle, value } of notification.monitoredItems ?? []) {
          await this.#changed(clientHandle, value);
        }
      } else if (notification instanceof StatusChangeNotification) {
        const { status } = notification;
        if (!isGood(status)) return this.lose(serviceError(status, 'the subscription'));
      }
    }
  }

  async #changed(index: number, data: DataValue): Promise<void> {
    const candidate = this.#items[index];
    if (candidate === undefined || this.#ended) return;
    const { types, log } = this.#options;
    if (hasOverflow(data.statusCode)) {
      this.#overflows += 1;
      const { name } = candidate.item.wanted;
      log.debug('values lost in the queue', { node: name, times: this.#overflows });
    }
    const unknown = unknownIn(data.value, types);
    if (unknown.length > 0) await types.learn(unknown, this.#signal);
    this.#tell(index, readingOf(data, candidate.item.wanted, types));
  }

  #tell(index: number, reading: Reading): void {
    if (this.#ended) return;
    this.#last = { index, reading };
    this.#sink.reading(index, reading);
  }

  /** A server can forget its subscriptions without a word: after two silent keep-alives they are gone. */
  #guard(): void {
    const { clock } = this.#options;
    const states = [...this.#subscriptions.values()];
    const least = Math.min(...states.map(({ silentMs }) => silentMs), 60_000);
    this.#cancel = clock.after(least / 4, () => {
      const silent = states.find(({ heardMs, silentMs }) => this.#now() - heardMs > silentMs);
      if (silent === undefined) return this.#guard();
      const s = Math.round(silent.silentMs / 1000);
      const message = `the server has not published anything for ${s} s, not even that there is nothing`;
      this.lose(new Unreachable('OPCUA_SILENT', message));
    });
  }

  #silentMs(keepAliveMs: number): number {
    return 2 * keepAliveMs + this.#options.settings.timeoutMs;
  }

  /** The connection is lost, or the subscription: told once. */
  lose(error: DmiError): void {
    if (this.#ended) return;
    this.#stop();
    this.#sink.lost(error);
  }

  readonly #end = (): void => {
    if (this.#ended) return;
    this.#stop();
    const subscriptionIds = [...this.#subscriptions.keys()];
    if (subscriptionIds.length === 0) return;
    const { services } = this.#options;
    const request = new DeleteSubscriptionsRequest({ subscriptionIds });
    // What the server does not take now ends with the session.
    services.session.ask(request, new AbortController().signal).catch(() => undefined);
  };

  #stop(): void {
    this.#ended = true;
    this.#cancel?.();
    this.#signal.removeEventListener('abort', this.#end);
    for (const id of this.#subscriptions.keys()) this.#options.publisher.remove(id);
  }

  #candidates(wishes: readonly Wish<Visitor>[]): { candidates: Candidate[]; polled: number[] } {
    const candidates: Candidate[] = [];
    const polled: number[] = [];
    for (const [index, { visitor, everyMs }] of wishes.entries()) {
      const item = this.#known(visitor);
      if (item === undefined || visitor.kind === 'method') polled.push(index);
      else candidates.push({ index, item, visitor, everyMs });
    }
    return { candidates, polled };
  }

  /** What cannot be resolved, or needs more than the server has told yet, is read: that says why. */
  #known(visitor: Visitor): Item | undefined {
    try {
      const item = this.#options.items.known(visitor);
      const { as, enumeration } = item.wanted;
      return as === 'name' && enumeration === undefined ? undefined : item;
    } catch {
      return undefined;
    }
  }

  #now(): number {
    return this.#options.clock.monotonic();
  }
}

function monitored(candidate: Candidate): MonitoredItemCreateRequestOptions {
  const { index, item, visitor, everyMs } = candidate;
  const { deadband, queue, discard, samplingMs } = visitor;
  // DeadbandType 1 absolute, 2 percent; the trigger is a change of status or value (Part 4, 7.22.2)
  const filter =
    deadband === undefined
      ? {}
      : {
          filter: new DataChangeFilter({
            trigger: 1,
            deadbandType: deadband.kind === 'absolute' ? 1 : 2,
            deadbandValue: deadband.value,
          }),
        };
  return {
    itemToMonitor: item.read,
    monitoringMode: REPORTING,
    requestedParameters: {
      clientHandle: index,
      samplingInterval: samplingMs ?? everyMs,
      queueSize: queue,
      discardOldest: discard === 'oldest',
      ...filter,
    },
  };
}
