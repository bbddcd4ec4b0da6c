/** An edge that polls the whole fleet once a second, on a core of its own; devices, cloud and bench share the other. */
import process from 'node:process';
import type { Device, DeviceModel } from '@limpet/dmi/manifest';
import { NODE, Rig } from '../../rig/rig.ts';
import { pause } from '../../rig/until.ts';
import { allOnline, pin, type Stretch, watched } from './edge-watch.ts';
import { Fleet, type FleetCounts } from './fleet.ts';
import { meter, panel } from './shape.ts';

export type Hosting = 'inline' | 'process';

export interface LoadOptions {
  readonly slaves: number;
  readonly hosting: Hosting;
  /** Another Node for the edge. */
  readonly node?: string | undefined;
}

/** A stretch of time at the edge, and what the slaves were asked in it. */
export interface Window extends Stretch {
  readonly before: FleetCounts;
  readonly after: FleetCounts;
}

/** A budget for 10,000 properties in the mapper's process. */
const MAPPER = '{ modbus: { hosting: process, memory: 48Mi } }';

export class LoadedEdge {
  readonly rig: Rig;
  readonly fleet: Fleet;
  readonly slaves: number;

  private constructor(rig: Rig, fleet: Fleet, slaves: number) {
    this.rig = rig;
    this.fleet = fleet;
    this.slaves = slaves;
  }

  static async start({ slaves, hosting, node }: LoadOptions): Promise<LoadedEdge> {
    // One more: the panel.
    const fleet = await Fleet.start(slaves + 1);
    const rig = await Rig.create();
    const loaded = new LoadedEdge(rig, fleet, slaves);
    try {
      if (hosting === 'process') await rig.configure({ mappers: MAPPER });
      await rig.startCloud();
      await rig.startEdge(node === undefined ? {} : { NODE: node });
      pin(1, rig.edge?.pid);
      for (const pid of [process.pid, fleet.pid, rig.cloud?.pid]) pin(0, pid);
      await loaded.#declare();
      return loaded;
    } catch (error) {
      await loaded.close();
      throw error;
    }
  }

  /** Counts at the edge and at the slaves over so long. */
  async window(seconds: number): Promise<Window> {
    const { fleet } = this;
    let [before, after] = [await fleet.counts(), await fleet.counts()];
    const stretch = await watched(this.rig, async () => {
      before = await fleet.counts();
      await pause(seconds * 1_000);
      after = await fleet.counts();
    });
    return { ...stretch, before, after };
  }

  async close(): Promise<void> {
    await Promise.all([this.rig.close(), this.fleet.close()]);
  }

  async #declare(): Promise<void> {
    const { rig, slaves } = this;
    const [...ports] = this.fleet.ports;
    await rig.api.create(meter);
    await rig.api.create(panel);
    await rig.api.create(device(panel, 0, ports.pop() ?? 0));
    for (const [at, port] of ports.entries()) await rig.api.create(device(meter, at + 1, port));
    await allOnline(rig, slaves + 1);
  }
}

function device(model: DeviceModel, number: number, port: number): Device {
  const name = `${model.metadata.name}-${number}`;
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'Device',
    metadata: { name },
    spec: {
      model: model.metadata.name,
      node: NODE,
      settings: { address: `tcp://127.0.0.1:${port}`, unit: 1, timeout: '2s' },
    },
  };
}
