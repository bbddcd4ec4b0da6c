/** What this node is busy with now, put together from those who know; looked at only when somebody asks. */
import { type Clock } from '@limpet/dmi';
import {
  type LoadDoor,
  type NodeBudget,
  type NodeFacts,
  type NodeLoad,
} from '@limpet/dmi/manifest';
import { type Devices } from './device/registry.ts';
import { iso } from './kernel/iso.ts';
import { type CloudLink } from './sync/link.ts';
import { type TwinStore } from './twin/store.ts';

export interface LoadParts {
  readonly node: string;
  readonly clock: Clock;
  readonly store: Pick<TwinStore, 'unsentRows'>;
  readonly devices: Pick<Devices, 'status' | 'oldest'>;
  readonly facts: () => NodeFacts;
  readonly lag: { readonly lagMs: number };
  /** Absent without a cloud, and before it is known. */
  readonly link: () => Pick<CloudLink, 'status'> | undefined;
}

/** A node of thousands of devices has as many ports: those that matter are the busiest. */
const PORTS = 20;

export function loadDoor(parts: LoadParts): LoadDoor {
  return () => {
    const { node, clock, store, devices, lag } = parts;
    const { states, readings, failed, missedCycles, ports } = devices.status;
    const { mappers, budget, memory } = parts.facts();
    const link = parts.link()?.status();
    const oldest = devices.oldest();
    return {
      node,
      at: iso(clock.now()),
      runMs: Math.round(clock.monotonic()),
      devices: states,
      readings,
      failed,
      missedCycles,
      rows: link === undefined ? 0 : store.unsentRows,
      link: link === undefined ? { state: 'none' } : linkOf(link),
      ports: busiest(ports),
      memory: memoryOf(budget, memory.private),
      mappers: mappers.map(mapperOf),
      lagMs: Math.round(lag.lagMs),
      ...(oldest && { oldest }),
    };
  };
}

function linkOf({ state, since, error }: ReturnType<CloudLink['status']>): NodeLoad['link'] {
  const code = state === 'connected' ? undefined : error?.code;
  return { state, since: iso(since), ...(code !== undefined && { code }) };
}

function busiest(ports: Devices['status']['ports']): NodeLoad['ports'] {
  return ports
    .map(({ port, devices, waiting, busyMs }) => {
      return { port, devices, waiting, busyMs: Math.round(busyMs) };
    })
    .toSorted((a, b) => b.busyMs - a.busyMs)
    .slice(0, PORTS);
}

function memoryOf(budget: NodeBudget | undefined, privateBytes: number): NodeLoad['memory'] {
  if (budget === undefined) return { now: privateBytes };
  const whole = budget.rows.filter(({ kind, partOf }) => kind === 'memory' && partOf === undefined);
  return { now: whole.reduce((sum, row) => sum + row.now, 0), ceiling: budget.ceiling };
}

function mapperOf({
  protocol,
  state = 'ready',
  restarts = 0,
  memory,
  budget,
}: NodeFacts['mappers'][number]): NodeLoad['mappers'][number] {
  return {
    protocol,
    state,
    restarts,
    ...(memory !== undefined && { memory }),
    ...(budget !== undefined && { budget }),
  };
}
