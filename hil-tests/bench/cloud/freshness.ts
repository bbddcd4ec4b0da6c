/**
 * How long after its acknowledgement a change is seen by others. A node of this process changes one property at a time: the
 * clock starts when the acknowledgement is here, and stops when an answer that shows the value is here.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '#protocol/api';
import type { Device } from '@limpet/dmi/manifest';
import { until } from '../../rig/until.ts';
import { Histogram } from './histogram.ts';
import { LoadNode } from './load-node.ts';
import { deviceName, PROPERTIES } from './plant.ts';
import { type Asked, type Prober } from './probes.ts';
import { devicePath, query } from './questions.ts';

export interface Freshness {
  /** Acknowledged to answered by GET. */
  readonly get: Histogram;
  /** Acknowledged to answered by a query; empty where there are none. */
  readonly query: Histogram;
  /** Changed to told by a watch of this device. */
  readonly watch: Histogram;
  /** Values that were not acknowledged, or not seen, within half a minute. */
  readonly unseen: number;
}

/** Beyond those of the load. */
const NODE = 999_999;
const PROPERTY = 0;
const PAUSE_MS = 50;
const SEEN_WITHIN_MS = 30_000;

export class FreshnessProbe {
  readonly #node: LoadNode;
  readonly #prober: Prober;
  readonly #api: ApiClient;
  readonly #stop = new AbortController();
  #acknowledged: () => void = () => {};
  #watching: Promise<void> | undefined;
  #watched: () => void = () => {};

  constructor(hub: string, api: ApiClient, prober: Prober) {
    this.#api = api;
    this.#prober = prober;
    this.#node = new LoadNode({
      node: NODE,
      url: new URL(hub),
      counts: { offered: 0, acknowledged: 0, superseded: 0 },
      acknowledged: () => this.#acknowledged(),
      fault: () => {},
    });
  }

  async start(): Promise<void> {
    this.#node.start();
    await until(() => (this.#node.connected ? undefined : 'the probe has no cloud'), 60_000);
    this.#node.twins.declare(1);
    await until(() => (this.#node.twins.pending === 0 ? undefined : 'not mirrored'), 60_000);
    this.#watching = this.#watch();
  }

  async run(durationMs: number, queries: boolean): Promise<Freshness> {
    const found = { get: new Histogram(), query: new Histogram(), watch: new Histogram() };
    let unseen = 0;
    const end = performance.now() + durationMs;
    for (let turn = 0; performance.now() < end; turn++) {
      const how = queries && turn % 2 === 1 ? 'query' : 'get';
      if (!(await this.#once(found[how], found.watch, how))) unseen++;
      await sleep(PAUSE_MS);
    }
    return { ...found, unseen };
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#node.stop();
    await this.#watching;
  }

  async #once(seen: Histogram, watched: Histogram, how: 'get' | 'query'): Promise<boolean> {
    const acknowledged = new Promise<void>((resolve) => (this.#acknowledged = resolve));
    const changed = performance.now();
    this.#watched = () => {
      watched.add(performance.now() - changed);
      this.#watched = () => {};
    };
    this.#node.twins.change(0, PROPERTY, 1);
    const late = AbortSignal.timeout(SEEN_WITHIN_MS);
    await Promise.race([acknowledged, once(late, 'abort')]);
    const start = performance.now();
    while (!late.aborted) {
      const answer = await this.#prober.ask(how === 'get' ? GET : QUERY).catch(() => undefined);
      if (answer?.status !== 200 || !this.#shows(answer.text, how)) continue;
      seen.add(performance.now() - start);
      return true;
    }
    return false;
  }

  #shows(text: string, how: 'get' | 'query'): boolean {
    const answer = JSON.parse(text) as Device & { readonly rows?: readonly (readonly unknown[])[] };
    const value = how === 'get' ? reportedOf(answer) : answer.rows?.[0]?.[0];
    return value === this.#node.twins.value(0, PROPERTY);
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop;
    const select = { namespace: 'default', fieldSelector: `metadata.name=${DEVICE}` };
    for await (const event of this.#api.watch('Device', select, signal)) {
      if (event.type === 'BOOKMARK') continue;
      const told = reportedOf(event.object as Device);
      if (told === this.#node.twins.value(0, PROPERTY)) this.#watched();
    }
  }
}

const DEVICE = deviceName(NODE, 0);
const GET: Asked = { path: devicePath(DEVICE) };
const QUERY: Asked = query(
  `SELECT ${PROPERTIES[PROPERTY]?.name ?? ''} FROM devices WHERE device = 'default/${DEVICE}'`,
);

function reportedOf({ status }: Device): unknown {
  return status?.twin[PROPERTIES[PROPERTY]?.name ?? '']?.reported?.value;
}
