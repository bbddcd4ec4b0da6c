/** One node of the load: the edge's own link and session, over twins that only exist as numbers. */
import { CloudLink } from '#runtime/sync/link.ts';
import { dialWebSocket } from '#runtime/sync/wire.ts';
import { systemClock } from '#runtime/kernel/clock.ts';
import type { Log } from '@limpet/dmi';
import { LoadTwins, type LoadTwinsOptions } from './load-twins.ts';
import { facts, nodeName } from './plant.ts';

export interface LoadNodeOptions extends LoadTwinsOptions {
  readonly url: URL;
  /** Why a connection was lost or not made; a stable code. */
  readonly fault: (code: string) => void;
}

export class LoadNode {
  readonly twins: LoadTwins;
  readonly #link: CloudLink;

  constructor(options: LoadNodeOptions) {
    const { node, url, fault } = options;
    const started = systemClock.monotonic();
    this.twins = new LoadTwins(options);
    this.#link = new CloudLink({
      node: nodeName(node),
      twins: this.twins,
      facts: () => facts((systemClock.monotonic() - started) / 1000),
      dial: dialWebSocket({ url, clock: systemClock }),
      clock: systemClock,
      log: faultsOnly(fault),
    });
  }

  get connected(): boolean {
    return this.#link.status().state === 'connected';
  }

  start(): void {
    this.#link.start();
  }

  stop(): void {
    this.#link.stop();
  }
}

/** The link tells its transitions to a log: here they are counted. */
function faultsOnly(fault: (code: string) => void): Log {
  const log: Log = {
    debug: () => {},
    info: () => {},
    warn: (message, fields) => fault(`${message}: ${String(fields?.['code'])}`),
    error: (message) => fault(message),
    with: () => log,
  };
  return log;
}
