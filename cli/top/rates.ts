/** What a node did between two looks at it. Pure. */
import type { NodeLoad } from '@limpet/dmi/manifest';

/** One node as it is shown. `load` is absent while it is away. */
export interface Shown {
  readonly node: string;
  readonly state: 'online' | 'offline';
  readonly lastSeen?: string;
  /** Why there are no figures. */
  readonly why?: string;
  readonly load?: NodeLoad;
  readonly rates?: Rates;
}

/** Per second; a port's `busy` from 0 to 1. */
export interface Rates {
  readonly readings: number;
  readonly errors: number;
  readonly missedCycles: number;
  readonly busy: Readonly<Record<string, number>>;
}

/** `undefined` for the first look, and where the edge was started anew in between. */
export function ratesOf(before: NodeLoad | undefined, now: NodeLoad): Rates | undefined {
  if (before === undefined) return undefined;
  const ms = now.runMs - before.runMs;
  if (ms <= 0 || now.readings < before.readings) return undefined;
  const perSecond = (change: number): number => round((change * 1_000) / ms);
  const busyBefore = new Map(before.ports.map(({ port, busyMs }) => [port, busyMs]));
  const busy = now.ports.map(({ port, busyMs }): [string, number] => {
    const share = (busyMs - (busyBefore.get(port) ?? 0)) / ms;
    return [port, round(Math.min(1, Math.max(0, share)))];
  });
  return {
    readings: perSecond(now.readings - before.readings),
    errors: perSecond(now.failed - before.failed),
    missedCycles: perSecond(now.missedCycles - before.missedCycles),
    busy: Object.fromEntries(busy),
  };
}

/** A node that was reached only just now, or begun anew between two looks: a third one tells what it does. */
export function awaitsRates(nodes: readonly Shown[]): boolean {
  return nodes.some(({ load, rates }) => load !== undefined && rates === undefined);
}

function round(number: number): number {
  return Math.round(number * 100) / 100;
}
