/** A mapper in a process of its own: its sandbox, its scratch folder, and the supervisor that keeps it alive. */
import { type Clock, type Log, type Mapper } from '@limpet/dmi';
import { type Reason } from '@limpet/dmi/manifest';
import { mkdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { type CatalogEntry } from './catalog.ts';
import { type Edition, type Hosted, type MemoryGuard, type Spawned } from './hosted.ts';
import { mapperCommand } from './process/command.ts';
import { MapperProcess } from './process/mapper-process.ts';
import { sandboxed, sandboxFlags } from './sandbox/command.ts';
import { permissionsText } from './sandbox/permissions.ts';
import { ScratchWatch } from './scratch.ts';
import { type MapperStatus } from './status.ts';
import { Supervisor } from './supervisor.ts';

export interface ProcessSurroundings {
  readonly clock: Clock;
  readonly log: Log;
  /** The data folder of the node. */
  readonly data: string;
  readonly guard?: MemoryGuard | undefined;
  readonly random: () => number;
  readonly replaced: (protocol: string) => void;
  /** How often scratch folders are measured. Default 10 s. */
  readonly scratchEveryMs?: number | undefined;
}

const RUNNING = new Set(['starting', 'ready', 'restarting', 'crash-loop', 'unresponsive']);

export class ProcessMapper {
  readonly #around: ProcessSurroundings;
  readonly #protocol: string;
  readonly #scratch: ScratchWatch;
  readonly #supervisor: Supervisor;
  #entry: CatalogEntry;
  /** Stopped because of its scratch folder, not for another reason. */
  #held = false;

  constructor(entry: CatalogEntry, around: ProcessSurroundings) {
    const { clock, log, guard, random, replaced } = around;
    const { protocol } = entry.manifest;
    this.#around = around;
    this.#protocol = protocol;
    this.#entry = entry;
    this.#supervisor = new Supervisor({
      protocol,
      edition: this.#edition(entry),
      clock,
      log,
      guard,
      random,
      replaced: () => replaced(protocol),
    });
    this.#scratch = new ScratchWatch({
      folder: this.#folder,
      ceilingBytes: () => this.#entry.manifest.diskBytes,
      clock,
      log: log.with({ protocol }),
      everyMs: around.scratchEveryMs,
      over: (reason) => this.#hold(reason),
      within: () => this.#release(),
    });
  }

  /** @throws Misconfigured, Unreachable: see `Supervisor.ready` */
  ready(): Promise<Mapper<unknown, unknown>> {
    return this.#supervisor.ready();
  }

  status(): MapperStatus {
    const status = this.#supervisor.status();
    // What the operator put in the folder is meant to run; what comes with the program need not.
    const standby = status.state === 'idle' && !this.#entry.foreign;
    return { ...status, hosting: 'process', ...(standby && { standby }) };
  }

  change(entry: CatalogEntry): void {
    this.#entry = entry;
    this.#supervisor.change(this.#edition(entry));
  }

  refuse(reason: Reason): void {
    this.#supervisor.refuse(reason);
  }

  shed(reason: Reason): void {
    this.#supervisor.shed(reason);
  }

  resume(): void {
    this.#supervisor.resume();
  }

  stop(): Promise<void> {
    this.#scratch.stop();
    return this.#supervisor.stop();
  }

  get #folder(): string {
    return path.join(this.#around.data, 'mappers', this.#protocol);
  }

  #hold(reason: Reason): void {
    // One that runs not now is looked at again once it does.
    if (!RUNNING.has(this.#supervisor.status().state)) return;
    this.#held = true;
    this.#supervisor.hold(reason);
  }

  #release(): void {
    if (this.#held && this.#supervisor.status().state === 'stopped') this.#supervisor.resume();
    this.#held = false;
  }

  #edition(entry: CatalogEntry): Edition {
    const { version, manifest } = entry;
    return {
      version,
      budgetBytes: manifest.memoryBytes,
      importance: manifest.importance,
      launch: (spawned) => this.#launch(entry, spawned),
    };
  }

  async #launch(entry: CatalogEntry, spawned: (child: Spawned) => void): Promise<Hosted> {
    const { clock, log } = this.#around;
    const { manifest, module, folder, version } = entry;
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const scratch = await realpath(this.#folder);
    const sandbox = { ...manifest, folder, scratch };
    const plain = mapperCommand({
      protocol: this.#protocol,
      ...(module !== undefined && { module }),
      folder: scratch,
      flags: sandboxFlags(sandbox),
    });
    const permissions = permissionsText(manifest.permissions);
    log.info('mapper starts', { protocol: this.#protocol, version, permissions });
    this.#scratch.start();
    const command = sandboxed(plain, sandbox);
    return MapperProcess.start({ command, protocol: this.#protocol, clock, log, spawned });
  }
}
