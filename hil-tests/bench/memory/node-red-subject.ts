/** Node-RED with node-red-contrib-modbus doing the polling of W: no twins, no store, no cloud, and the broker elsewhere. */
import { execFile } from 'node:child_process';
import { access, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Child } from '../../rig/child.ts';
import { freePort } from '../../rig/free-port.ts';
import { Registers } from '../../rig/registers.ts';
import { until } from '../../rig/until.ts';
import type { Cgroup } from './cgroup.ts';
import type { Copies } from './image.ts';
import { flows } from './node-red-flows.ts';
import { DEVICES, Impossible, type Key, type Subject } from './subject.ts';

/** contrib-modbus 5.45 asks for a package that is in no registry. */
const PACKAGES = ['node-red@4.1.15', 'node-red-contrib-modbus@5.23.3'];
export const NODE_RED = `${PACKAGES.join(' + ')}, headless, polling the same registers into a broker that is not counted`;

const here = path.dirname(fileURLToPath(import.meta.url));
const cache = path.resolve(here, '../../../node_modules/.cache/limpet-bench');
const run = promisify(execFile);
const INSTALL_MS = 300_000;

interface Parts {
  readonly copies: Copies;
  readonly cgroup: Cgroup | undefined;
}

export class NodeRedSubject implements Subject {
  readonly key: Key = 'node-red';
  readonly whole = false;
  readonly filter = 'plant/+/+';
  readonly cgroup: Cgroup | undefined;
  readonly registers: Registers;
  readonly busPort: number;
  readonly #command: readonly string[];
  readonly #environment: NodeJS.ProcessEnv;
  readonly #broker: Child;
  child: Child | undefined;

  private constructor(
    { copies, cgroup }: Parts,
    made: { registers: Registers; busPort: number; broker: Child; command: readonly string[] },
  ) {
    this.cgroup = cgroup;
    this.#environment = copies.environment;
    this.registers = made.registers;
    this.busPort = made.busPort;
    this.#broker = made.broker;
    this.#command = made.command;
  }

  /** Installs it where it was not yet; nothing of it runs then but the broker. @throws Impossible without a registry */
  static async create(parts: Parts): Promise<NodeRedSubject> {
    const { copies, cgroup } = parts;
    const installed = await install();
    const [devices, busPort] = [await freePort(), await freePort()];
    const data = path.join(copies.folder, 'data');
    await mkdir(data);
    await writeFile(
      path.join(data, 'flows.json'),
      JSON.stringify(flows({ devices, broker: busPort })),
    );
    await writeFile(path.join(data, 'settings.js'), SETTINGS);
    const program = path.join(installed, 'node_modules/node-red/red.js');
    const command = [copies.node, program, '--userDir', data];
    const broker = new Child('broker', [
      process.execPath,
      '--conditions=source',
      path.join(here, 'broker-process.ts'),
      String(busPort),
    ]);
    const registers = await Registers.listen(devices);
    const entered = cgroup?.enter(command) ?? command;
    return new NodeRedSubject(parts, { registers, busPort, broker, command: entered });
  }

  async start(): Promise<void> {
    const child = new Child('node-red', this.#command, this.#environment);
    this.child = child;
    await child.ready(() => Promise.resolve(child.output.includes('Started flows')), 60_000);
  }

  async stop(): Promise<void> {
    await this.child?.stop();
  }

  /** Its flows are its devices: they are there from the start. */
  async declare(): Promise<void> {
    const units = new Set<number>();
    this.registers.onRead = (unit) => units.add(unit);
    await until(() =>
      units.size === DEVICES ? undefined : `${units.size} of ${DEVICES} devices are read`,
    );
  }

  wrong(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async close(): Promise<void> {
    await Promise.all([this.child?.stop(), this.#broker.stop()]);
    await this.registers.close();
    await this.cgroup?.remove();
  }
}

/** Lies beside the project's own packages, is none of them, and goes with them. Half an installation is none. */
async function install(): Promise<string> {
  const folder = path.join(cache, PACKAGES.join('+'));
  if (
    await access(folder).then(
      () => true,
      () => false,
    )
  )
    return folder;
  const half = `${folder}.${process.pid}`;
  await mkdir(half, { recursive: true });
  try {
    const options = ['--prefix', half, '--ignore-scripts', '--no-audit', '--no-fund', '--no-save'];
    await run('npm', ['install', ...options, ...PACKAGES], { cwd: half, timeout: INSTALL_MS });
    await rename(half, folder);
  } catch (error) {
    await rm(half, { recursive: true, force: true });
    const why = error instanceof Error ? error.message : String(error);
    throw new Impossible(`Node-RED cannot be installed here: ${why}`);
  }
  return folder;
}

/** No editor and no HTTP: what polls a plant needs neither, and it is the smaller Node-RED. */
const SETTINGS = `module.exports = {
  httpAdminRoot: false,
  httpNodeRoot: false,
  flowFile: 'flows.json',
  credentialSecret: false,
  diagnostics: { enabled: false },
  telemetry: { enabled: false },
  logging: { console: { level: 'info', metrics: false, audit: false } },
};
`;
