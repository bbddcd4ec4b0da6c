/** The edge from its bundle, with a cloud of its own, in one of the ways it can be run. */
import path from 'node:path';
import type { Device } from '@limpet/dmi/manifest';
import type { Child } from '../../rig/child.ts';
import type { Registers } from '../../rig/registers.ts';
import { Rig } from '../../rig/rig.ts';
import { until } from '../../rig/until.ts';
import { readOnly } from '../models.ts';
import { processTree } from '../process-memory.ts';
import type { Cgroup } from './cgroup.ts';
import type { Copies } from './image.ts';
import { DEVICES, type Key, PER_DEVICE, PROPERTIES, type Subject } from './subject.ts';

/** One that has too little memory is slow to start; that is to be seen in the figures, not to end them. */
const READY_MS = 60_000;

interface Parts {
  readonly key: Key;
  readonly copies: Copies;
  readonly cgroup: Cgroup | undefined;
}

export class LimpetSubject implements Subject {
  readonly key: Key;
  readonly whole = true;
  readonly filter = 'limpet/+/+/twin/+';
  readonly cgroup: Cgroup | undefined;
  readonly #rig: Rig;
  readonly #environment: NodeJS.ProcessEnv;

  private constructor({ key, cgroup, copies }: Parts, rig: Rig) {
    this.key = key;
    this.cgroup = cgroup;
    // What a board sets whose limit is this tight.
    const tight = key === 'limited' && { LIMPET_INTERPRET: '1' };
    this.#environment = { ...copies.environment, ...tight };
    this.#rig = rig;
  }

  /** Starts its cloud. The edge does not run yet. */
  static async create(parts: Parts): Promise<LimpetSubject> {
    const { key, copies, cgroup } = parts;
    const launcher = cgroup?.enter([copies.launcher]) ?? [copies.launcher];
    const rig = await Rig.create({
      edgeData: path.join(copies.folder, 'data'),
      launcher,
      readyMs: READY_MS,
    });
    try {
      if (key === 'process') await rig.configure({ mappers: '{ modbus: { hosting: process } }' });
      await rig.startCloud();
    } catch (error) {
      await rig.close();
      throw error;
    }
    return new LimpetSubject(parts, rig);
  }

  get registers(): Registers {
    return this.#rig.registers;
  }

  get busPort(): number {
    return this.#rig.busPort;
  }

  get child(): Child | undefined {
    return this.#rig.edge;
  }

  async start(): Promise<void> {
    await this.#rig.startEdge(this.#environment);
  }

  async stop(): Promise<void> {
    await this.#rig.edge?.stop();
  }

  async declare(): Promise<void> {
    await this.#rig.declare(readOnly('memory', PER_DEVICE, '1s'), DEVICES);
    await until(async () => {
      const devices = (await this.#rig.api.list('Device')).items as readonly Device[];
      const online = devices.filter(({ status }) => status?.state === 'online').length;
      return online === DEVICES ? undefined : `${online} of ${DEVICES} devices are online`;
    }, 60_000);
    const processes = processTree(this.child?.pid ?? 0).length;
    if ((this.key === 'process') !== processes > 1)
      throw new Error(`the edge runs as ${processes} processes: its hosting is not as asked for`);
  }

  async wrong(): Promise<number> {
    const devices = (await this.#rig.api.list('Device')).items as readonly Device[];
    let right = 0;
    for (const { spec, status } of devices) {
      const bank = this.registers.input(Number(spec.settings['unit']));
      for (let i = 0; i < PER_DEVICE; i++) {
        const reported = status?.twin[`sensor-${i}`]?.reported;
        if (reported?.quality === 'good' && reported.value === bank[i]) right++;
      }
    }
    return PROPERTIES - right;
  }

  async close(): Promise<void> {
    await this.#rig.close();
    await this.cgroup?.remove();
  }
}
