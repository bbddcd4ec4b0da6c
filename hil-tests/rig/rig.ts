/**
 * A whole system on this machine: the cloud and the edge as processes of their own, devices at the wire that
 * are not ours. What a scenario cuts, it cuts here.
 */
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Device, DeviceModel } from '@limpet/dmi/manifest';
import { ApiClient } from '#protocol/api';
import { Child } from './child.ts';
import { freePort } from './free-port.ts';
import { Registers } from './registers.ts';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const LAUNCHER = path.join(root, 'dist/edge/limpet-edge');

export const NODE = 'rig';

export interface RigOptions {
  /** The edge's data folder, when it must lie elsewhere (a tiny file system). */
  readonly edgeData?: string;
  /** What runs the edge instead of the bundle's launcher: another copy of it, or a shell that joins a cgroup first. */
  readonly launcher?: readonly string[];
  /** How long the edge may take until its API answers. Default 20 s. */
  readonly readyMs?: number;
}

export class Rig {
  readonly folder: string;
  readonly edgeData: string;
  readonly registers: Registers;
  readonly devicePort: number;
  readonly cloudPort: number;
  readonly busPort: number;
  /** The cloud's API; a scenario whose cloud wants TLS or a token puts its own here. */
  api: ApiClient;
  /** The edge's own API. */
  readonly edgeApi: ApiClient;
  cloud: Child | undefined;
  edge: Child | undefined;
  readonly #launcher: readonly string[];
  readonly #readyMs: number | undefined;

  private constructor(parts: {
    folder: string;
    edgeData: string;
    launcher: readonly string[];
    readyMs: number | undefined;
    registers: Registers;
    ports: readonly [device: number, cloud: number, bus: number];
  }) {
    this.folder = parts.folder;
    this.edgeData = parts.edgeData;
    this.#launcher = parts.launcher;
    this.#readyMs = parts.readyMs;
    this.registers = parts.registers;
    [this.devicePort, this.cloudPort, this.busPort] = parts.ports;
    this.api = new ApiClient({ url: `http://127.0.0.1:${this.cloudPort}` });
    this.edgeApi = new ApiClient({ socketPath: path.join(this.edgeData, 'limpet.sock') });
  }

  static async create(options: RigOptions = {}): Promise<Rig> {
    await access(LAUNCHER).catch(() => {
      throw new Error('the rig runs the edge from its bundle: run `npm run build` first');
    });
    const folder = await mkdtemp(path.join(tmpdir(), 'limpet-rig-'));
    const edgeData = options.edgeData ?? path.join(folder, 'edge');
    await mkdir(edgeData, { recursive: true });
    const ports = [await freePort(), await freePort(), await freePort()] as const;
    const { launcher = [LAUNCHER], readyMs } = options;
    const registers = await Registers.listen(ports[0]);
    const rig = new Rig({ folder, edgeData, launcher, readyMs, registers, ports });
    await rig.configure();
    return rig;
  }

  /** Folder of the cloud's database. */
  get cloudData(): string {
    return path.join(this.folder, 'cloud');
  }

  /** Writes the edge's limpet.yaml; `undefined` leaves a line out. Counts from the next start. */
  async configure(lines: Readonly<Record<string, string | undefined>> = {}): Promise<void> {
    const all = {
      node: NODE,
      data: this.edgeData,
      cloud: `ws://127.0.0.1:${this.cloudPort}/hub`,
      bus: `{ listen: "127.0.0.1:${this.busPort}" }`,
      ...lines,
    };
    const given = Object.entries(all).filter(([, value]) => value !== undefined);
    const text = given.map(([key, value]) => `${key}: ${value}\n`).join('');
    await writeFile(path.join(this.folder, 'limpet.yaml'), text);
  }

  /** `options`: beside `--data` and `--listen`. `ready`: by default, that the API answers. */
  async startCloud(
    options: readonly string[] = [],
    ready: (cloud: Child) => boolean | Promise<boolean> = () => answers(this.api),
  ): Promise<void> {
    const listen = `127.0.0.1:${this.cloudPort}`;
    const cloud = Rig.limpet('cloud', ['--data', this.cloudData, '--listen', listen, ...options]);
    this.cloud = cloud;
    await cloud.ready(async () => ready(cloud));
  }

  /** The command as a child process that is the service itself: no wrapper between us and the kill. */
  static limpet(verb: string, args: readonly string[]): Child {
    const command = path.join(root, 'cli/limpet.mjs');
    return new Child(verb, [process.execPath, '--conditions=source', command, verb, ...args]);
  }

  /** `environment`: of the edge's process, beside ours. `options`: beside `--config`. */
  async startEdge(environment: NodeJS.ProcessEnv = {}, options: string[] = []): Promise<void> {
    const config = path.join(this.folder, 'limpet.yaml');
    const command = [...this.#launcher, '--config', config, ...options];
    this.edge = new Child('edge', command, { NODE: process.execPath, ...environment });
    await this.edge.ready(() => answers(this.edgeApi), this.#readyMs);
  }

  /** Declares `count` devices of one model, behind one gateway address, units from 1. */
  async declare(model: DeviceModel, count: number): Promise<void> {
    await this.api.create(model);
    for (let unit = 1; unit <= count; unit++) await this.api.create(this.device(model, unit));
  }

  async close(): Promise<void> {
    await Promise.all([this.edge?.stop(), this.cloud?.stop()]);
    await this.registers.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** One unit behind the gateway address. */
  device(model: DeviceModel, unit: number): Device {
    return {
      apiVersion: 'limpet.dev/v1',
      kind: 'Device',
      metadata: { name: `device-${unit}` },
      spec: {
        model: model.metadata.name,
        node: NODE,
        settings: { address: `tcp://127.0.0.1:${this.devicePort}`, unit, timeout: '500ms' },
      },
    };
  }
}

async function answers(api: ApiClient): Promise<boolean> {
  await api.list('Node');
  return true;
}
