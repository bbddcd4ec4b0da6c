/** A hundred desired values ordered at once while the fleet is polled: from the order to its confirmation by read-back. */
import type { Desired, Device, Stages } from '@limpet/dmi/manifest';
import type { ApiClient } from '#protocol/api';
import { pause } from '../../rig/until.ts';
import type { LoadedEdge } from './loaded-edge.ts';
import { PANEL_POINTS } from './shape.ts';

export interface Point {
  readonly device: string;
  readonly property: string;
}

/** Ms from the order, of each point. */
export interface Took {
  /** Until it was on the edge's disk. */
  readonly stored: readonly number[];
  /** Until the device had said so itself. */
  readonly confirmed: readonly number[];
}

/** Asked only then: to list the fleet is work for the edge. */
const LOOK_MS = 1_500;
const LOOKS = 20;
/** So many requests under way at once: the edge's own API serves 32. */
const CLIENTS = 16;

/** One setpoint of each slave: a request each. */
export function oneEach({ slaves }: LoadedEdge): readonly Point[] {
  return Array.from({ length: slaves }, (_, at) => ({
    device: `meter-${at + 1}`,
    property: 'setpoint',
  }));
}

/** All setpoints of the panel: one request. */
export function allOfPanel(): readonly Point[] {
  return Array.from({ length: PANEL_POINTS }, (_, at) => ({
    device: 'panel-0',
    property: `p${at}`,
  }));
}

/** Sets all points to `value` through one of the APIs; the times are those of the edge, which shares its clock with this process. */
export async function order(
  { rig }: LoadedEdge,
  through: 'edge' | 'cloud',
  points: readonly Point[],
  value: number,
): Promise<Took> {
  const api = through === 'edge' ? rig.edgeApi : rig.api;
  const start = Date.now();
  await place(api, points, value);
  for (let look = 0; look < LOOKS; look++) {
    await pause(LOOK_MS);
    const stages = await confirmedStages(rig.edgeApi, points, value);
    if (stages !== undefined) {
      const since = (stage: keyof Stages) =>
        stages.map((each) => Date.parse(each[stage] ?? '') - start);
      return { stored: since('stored'), confirmed: since('confirmed') };
    }
  }
  throw new Error(`not all of ${points.length} orders were confirmed`);
}

async function place(api: ApiClient, points: readonly Point[], value: number): Promise<void> {
  const left = patches(points, value);
  const client = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const [name, desired] = next;
      await api.patch({ kind: 'Device', namespace: 'default', name }, { spec: { desired } });
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}

function patches(points: readonly Point[], value: number): [string, Record<string, number>][] {
  const byDevice = new Map<string, Record<string, number>>();
  for (const { device, property } of points) {
    byDevice.set(device, { ...byDevice.get(device), [property]: value });
  }
  return [...byDevice];
}

async function confirmedStages(
  api: ApiClient,
  points: readonly Point[],
  value: number,
): Promise<readonly Stages[] | undefined> {
  const { items } = await api.list('Device');
  const devices = new Map(items.map((item) => [item.metadata.name, item as Device]));
  const stages: Stages[] = [];
  for (const { device, property } of points) {
    const desired: Desired | undefined = devices.get(device)?.status?.twin[property]?.desired;
    if (desired?.value !== value || desired.verdict !== 'applied') return undefined;
    stages.push(desired.stages);
  }
  return stages;
}
