/** The MQTT mapper before a real broker: mosquitto as a process, the mapper's own sockets, a device of another's making. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import type { Connection, MapperContext, Reading, Value } from '@limpet/dmi';
import { silentLog } from '@limpet/dmi/testing';
import mapper from '@limpet/mapper-mqtt';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { parseAddress } from '#runtime/device/address.ts';
import { openStream } from '#runtime/device/open.ts';
import { systemClock } from '#runtime/kernel/clock.ts';
import { freePort } from '../rig/free-port.ts';
import { until } from '../rig/until.ts';

/** A folder that goes with the test. */
export function folderFor(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'limpet-mqtt-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** mosquitto on a port of its own; what it keeps outlives a kill. */
export class Mosquitto {
  readonly port: number;
  readonly #config: string;
  #child: ChildProcess | undefined;

  private constructor(port: number, config: string) {
    this.port = port;
    this.#config = config;
  }

  /** `lines` of its configuration, in place of letting everybody in without TLS. */
  static async start(
    folder: string,
    lines: readonly string[] = ['allow_anonymous true'],
  ): Promise<Mosquitto> {
    const port = await freePort();
    const config = path.join(folder, `mosquitto-${port}.conf`);
    const keeps = ['persistence true', `persistence_location ${folder}/`, 'autosave_interval 1'];
    const all = [`listener ${port} 127.0.0.1`, 'user root', 'set_tcp_nodelay true', ...keeps];
    writeFileSync(config, [...all, 'autosave_on_changes true', ...lines, ''].join('\n'));
    const broker = new Mosquitto(port, config);
    await broker.again();
    return broker;
  }

  /** In a folder of its own; `end` ends both. */
  static async inFolder(
    lines?: readonly string[],
  ): Promise<{ readonly started: Mosquitto; readonly end: () => Promise<void> }> {
    const folder = mkdtempSync(path.join(tmpdir(), 'limpet-mqtt-'));
    const started = await Mosquitto.start(folder, lines);
    const end = async (): Promise<void> => {
      await started.kill();
      rmSync(folder, { recursive: true, force: true });
    };
    return { started, end };
  }

  /** Starts it, also after {@link kill}. */
  async again(): Promise<void> {
    const child = spawn('mosquitto', ['-c', this.#config], { stdio: 'ignore' });
    const failed = once(child, 'error').then(([error]) => {
      throw new Error('install the Debian package mosquitto', { cause: error });
    });
    this.#child = child;
    const listens = until(async () => {
      const signal = AbortSignal.timeout(1_000);
      const stream = openStream(parseAddress(`tcp://127.0.0.1:${this.port}`), signal);
      return stream.then(
        (open) => void open.destroy(),
        () => 'it does not listen',
      );
    });
    await Promise.race([listens, failed]);
  }

  /** Without warning, and gone when this resolves. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill(signal);
    await gone;
  }

  /** It hangs: its sockets stay open and say nothing. */
  hang(): void {
    this.#child?.kill('SIGSTOP');
  }

  /** A client of package `mqtt`, which shares no code with the mapper. */
  client(options: IClientOptions = {}): Promise<MqttClient> {
    const { protocol = 'mqtt' } = options;
    const address = `${protocol}://127.0.0.1:${this.port}`;
    return connectAsync(address, { reconnectPeriod: 0, ...options });
  }
}

/** One property of an opened device, as it was told. */
export class Watched {
  readonly readings: Reading[] = [];
  lost: Error | undefined;

  get last(): Value | undefined {
    const reading = this.readings.at(-1);
    return reading?.ok === true ? reading.value : undefined;
  }

  get code(): string | undefined {
    const reading = this.readings.at(-1);
    if (reading === undefined) return undefined;
    return reading.ok ? reading.doubt?.code : reading.error.code;
  }

  says(value: Value): Promise<void> {
    return until(() =>
      this.last === value ? undefined : `it says ${JSON.stringify(this.last)} (${this.code})`,
    );
  }
}

/** Opens a device as the runtime would. @throws what connect throws; Error where the settings are wrong */
export async function open(
  settings: object,
  options: { readonly device?: string; readonly folder?: string } = {},
): Promise<Connection<unknown>> {
  const parsed = await mapper.settings['~standard'].validate(settings);
  if (parsed.issues !== undefined) throw new Error(parsed.issues[0]?.message);
  const { device = 'default/device-1', folder } = options;
  const context: MapperContext = {
    device,
    clock: systemClock,
    log: silentLog(),
    dial: (address, signal) => openStream(parseAddress(address), signal),
    ...(folder !== undefined && { folder }),
  };
  return mapper.connect(parsed.value, context, AbortSignal.timeout(20_000)) as Promise<
    Connection<unknown>
  >;
}

/** The mapper's form of a visitor. */
export async function visitorOf(visitor: object): Promise<unknown> {
  const parsed = await mapper.visitor['~standard'].validate(visitor);
  if (parsed.issues !== undefined) throw new Error(parsed.issues[0]?.message);
  return parsed.value;
}

/** Subscribes to these, and collects what is told. */
export async function watch(
  connection: Connection<unknown>,
  ...visitors: readonly object[]
): Promise<readonly Watched[]> {
  const all = visitors.map(() => new Watched());
  const wishes = await Promise.all(
    visitors.map(async (visitor) => ({ visitor: await visitorOf(visitor), everyMs: 1 })),
  );
  const sink = {
    reading: (index: number, reading: Reading) => void all[index]?.readings.push(reading),
    lost: (error: Error) => {
      for (const each of all) each.lost = error;
    },
  };
  await connection.subscribe?.(wishes, sink, new AbortController().signal);
  return all;
}
