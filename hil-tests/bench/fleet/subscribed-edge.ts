/** An edge that is told 10,000 items by an OPC UA server, each once a second; the server and the cloud have the other core. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import process from 'node:process';
import type { Device, DeviceModel } from '@limpet/dmi/manifest';
import { NODE, Rig } from '../../rig/rig.ts';
import { pause, until } from '../../rig/until.ts';
import { allOnline, pin, type Stretch, watched } from './edge-watch.ts';

export interface SubscribeOptions {
  /** Devices, each with a session and a subscription of its own. */
  readonly groups: number;
  readonly perGroup: number;
  readonly node?: string | undefined;
}

/** A stretch of time at the edge, and the changes that the server sent in it. */
export interface ToldStretch extends Stretch {
  readonly sent: number;
  /** Items whose value at the edge was not the server's in the end. */
  readonly wrong: number;
}

/** Longer than anything is on its way. */
const REST_MS = 3_000;

interface Counts {
  readonly sent: number;
  /** How often each group changed. */
  readonly ticks: readonly number[];
}

export class SubscribedEdge {
  readonly rig: Rig;
  readonly #server: ChildProcess;
  readonly #options: SubscribeOptions;

  private constructor(rig: Rig, server: ChildProcess, options: SubscribeOptions) {
    this.rig = rig;
    this.#server = server;
    this.#options = options;
  }

  static async start(options: SubscribeOptions): Promise<SubscribedEdge> {
    const { groups, perGroup, node } = options;
    const file = path.join(import.meta.dirname, 'opcua-server-process.ts');
    const args = [String(groups), String(perGroup)];
    const server = fork(file, args, { execArgv: ['--conditions=source'] });
    const [{ endpoint }] = (await once(server, 'message')) as [{ endpoint: string }];
    const rig = await Rig.create();
    const edge = new SubscribedEdge(rig, server, options);
    try {
      await rig.startCloud();
      await rig.startEdge(node === undefined ? {} : { NODE: node });
      pin(1, rig.edge?.pid);
      for (const pid of [process.pid, server.pid, rig.cloud?.pid]) pin(0, pid);
      await edge.#declare(endpoint);
      return edge;
    } catch (error) {
      await edge.close();
      throw error;
    }
  }

  /** Counted from rest to rest, so that nothing is on its way when it begins and ends. */
  async stretch(seconds: number): Promise<{ readonly steady: Stretch; readonly all: ToldStretch }> {
    const before = await this.#rest();
    let [after, steady, wrong] = [before, undefined as Stretch | undefined, 0];
    const all = await watched(this.rig, async () => {
      await this.#counts('move');
      await pause(REST_MS);
      steady = await watched(this.rig, () => pause(seconds * 1_000));
      after = await this.#rest();
      wrong = await this.#wrong(after);
    });
    return { steady: steady ?? all, all: { ...all, sent: after.sent - before.sent, wrong } };
  }

  async close(): Promise<void> {
    await this.rig.close();
    if (this.#server.exitCode !== null) return;
    const gone = once(this.#server, 'exit');
    this.#server.disconnect();
    await gone;
  }

  async #declare(endpoint: string): Promise<void> {
    const { rig } = this;
    const { groups, perGroup } = this.#options;
    for (let group = 0; group < groups; group++) {
      await rig.api.create(modelOf(group, perGroup));
      await rig.api.create(deviceOf(group, endpoint));
    }
    await allOnline(rig, groups);
    await until(
      async () => {
        const counts = await this.#counts('move');
        return counts.sent > 0 ? undefined : 'the server has sent nothing';
      },
      30_000,
      500,
    );
  }

  async #wrong({ ticks }: Counts): Promise<number> {
    const { items } = await this.rig.edgeApi.list('Device');
    let wrong = 0;
    for (const item of items) {
      const { metadata, status } = item as Device;
      const group = Number(metadata.name.replace('server-', ''));
      for (let at = 0; at < this.#options.perGroup; at++) {
        const { value } = status?.twin[`i${at}`]?.reported ?? {};
        if (value !== (ticks[group] ?? 0) + at / 1_000) wrong++;
      }
    }
    return wrong;
  }

  async #rest(): Promise<Counts> {
    await this.#counts('rest');
    await pause(REST_MS);
    return this.#counts('rest');
  }

  async #counts(asked: 'move' | 'rest'): Promise<Counts> {
    const answer = once(this.#server, 'message');
    this.#server.send(asked);
    const [counts] = (await answer) as [Counts];
    return counts;
  }
}

function modelOf(group: number, perGroup: number): DeviceModel {
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'DeviceModel',
    metadata: { name: `group-${group}` },
    spec: {
      protocol: 'opcua',
      properties: Array.from({ length: perGroup }, (_, at) => ({
        name: `i${at}`,
        type: 'float' as const,
        every: '1s',
        visitor: { node: `ns=2;s=g${group}i${at}` },
      })),
    },
  };
}

function deviceOf(group: number, endpoint: string): Device {
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'Device',
    metadata: { name: `server-${group}` },
    spec: { model: `group-${group}`, node: NODE, settings: { endpoint, security: 'none' } },
  };
}
