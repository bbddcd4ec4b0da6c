/** One process with one mapper in it, from its start to its exit. Who restarts it, and when, is not decided here. */
import { type Clock, type Log, type Mapper, Misconfigured, Unreachable } from '@limpet/dmi';
import { type Reason } from '@limpet/dmi/manifest';
import { type ChildProcess, spawn } from 'node:child_process';
import { type Duplex, type Readable } from 'node:stream';
import { exitReason, lastWords } from '../exit-reason.ts';
import { type Tardy } from '../obedience.ts';
import { countOf, fieldsOf, ProtocolFault, type Ready } from './checks.ts';
import { FrameError } from './frame.ts';
import { Link } from './link.ts';
import { Printed } from './printed.ts';
import { remoteMapper } from './remote-mapper.ts';

/** What is run: a program that calls `runMapperChild`. */
export interface ChildCommand {
  readonly file: string;
  readonly args: readonly string[];
  /** All of its environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface MapperProcessOptions {
  readonly command: ChildCommand;
  readonly protocol: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Loading the mapper may take so long. Default 20 s. */
  readonly readyMs?: number;
  /** Called at once with the process, which is not ready yet: it may already take too much, or have to be killed. */
  readonly spawned?: (process: Pick<MapperProcess, 'pid' | 'lines' | 'kill'>) => void;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
  /** The last that it printed. */
  readonly lines: readonly string[];
  /** Why the core ended it. */
  readonly reason?: Reason;
}

export interface Health {
  /** Until the process answered. */
  readonly lagMs: number;
  /** JavaScript heap and buffers. */
  readonly heapBytes: number;
  /** Readings that it replaced by later ones because the core was slow. */
  readonly superseded: number;
  /** Seconds in which it printed more than is taken. */
  readonly noisy: number;
  /** What it reached for and may not have, as it says itself. */
  readonly refused: { readonly count: number; readonly last: string };
  /** Calls that were given up, and that the mapper still has not ended; and those that took it too long to end. */
  readonly unended: number;
  readonly tardy: Tardy;
}

const READY_MS = 20_000;
const MAX_TEXT = 300;
const LAST_WORDS_MS = 200;
/** A process whose pipes are closed is at its end, or has closed them itself. */
const LINGER_MS = 1_000;

/** How often, and the last of them. @throws ProtocolFault */
function occurrencesOf(
  value: unknown,
  what: string,
): { readonly count: number; readonly last: string } {
  const { count, last } = fieldsOf(value);
  return {
    count: countOf(count, Number.MAX_SAFE_INTEGER, what),
    last: String(last).slice(0, MAX_TEXT),
  };
}

export class MapperProcess {
  readonly #options: MapperProcessOptions;
  readonly #child: ChildProcess;
  readonly #printed: Printed;
  readonly #link: Link;
  readonly #ready = Promise.withResolvers<Ready>();
  readonly #exit = Promise.withResolvers<Exit>();
  #mapper: Mapper<unknown, unknown> | undefined;
  #reason: Reason | undefined;

  private constructor(options: MapperProcessOptions) {
    const { command, protocol, clock, log } = options;
    const { file, args, env, cwd } = command;
    this.#options = options;
    this.#child = spawn(file, args, {
      env,
      ...(cwd !== undefined && { cwd }),
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
      windowsHide: true,
    });
    const [, out, err, management, data] = this.#child.stdio ?? [];
    if (data === undefined) {
      // Node says so once more, and without a listener that would end the core.
      this.#child.on('error', () => undefined);
      const message = 'its process cannot be started: no file descriptors are left (ulimit -n)';
      throw new Unreachable('MAPPER_DOWN', message);
    }
    const told = { clock, log: log.with({ protocol }) };
    this.#printed = new Printed([out as Readable, err as Readable], told);
    this.#link = new Link({
      protocol,
      ...told,
      management: management as Duplex,
      data: data as Duplex,
      ready: (said) => this.#began(said),
      closed: (error) => this.#closed(error),
    });
    this.#child.on('error', (error) => {
      // Later ones are of a signal that could not be sent, to a process that is at its end.
      if (this.#child.pid === undefined) this.#exited(null, null, error);
    });
    this.#child.once('exit', (code, signal) => {
      // What it printed last is still on its way; what it started may hold the pipe for ever.
      const ended = (): void => this.#exited(code, signal);
      const cancel = clock.after(LAST_WORDS_MS, ended);
      this.#child.once('close', () => {
        cancel();
        ended();
      });
    });
  }

  /**
   * Resolves once the mapper is loaded, checked and ready.
   * @throws Misconfigured MAPPER_BROKEN with every fault; Unreachable MAPPER_DOWN with the last lines
   */
  static async start(options: MapperProcessOptions): Promise<MapperProcess> {
    const started = new MapperProcess(options);
    const { clock, protocol, readyMs = READY_MS, spawned } = options;
    if (started.pid > 0) spawned?.(started);
    const cancel = clock.after(readyMs, () =>
      started.#end('MAPPER_DOWN', `it was not ready within ${readyMs / 1000} s`),
    );
    try {
      const has = await started.#ready.promise;
      started.#mapper = remoteMapper(protocol, has, started.#link);
      return started;
    } catch (error) {
      started.kill();
      await started.exited;
      throw error;
    } finally {
      cancel();
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get mapper(): Mapper<unknown, unknown> {
    return this.#mapper as Mapper<unknown, unknown>;
  }

  /** Readings replaced by later ones, as far as the process has told. */
  get superseded(): number {
    return this.#link.pushes.superseded;
  }

  /** Resolves once the process is gone; never rejects. */
  get exited(): Promise<Exit> {
    return this.#exit.promise;
  }

  lines(): readonly string[] {
    return this.#printed.lines;
  }

  /** @throws Unreachable MAPPER_DOWN, MAPPER_BUSY; the signal's reason */
  async health(signal: AbortSignal): Promise<Health> {
    const { clock } = this.#options;
    const start = clock.monotonic();
    const told = await this.#link.calls.ask(
      this.#link.management,
      { t: 'health' },
      {
        signal,
        take(answer) {
          const { heapBytes, superseded, refused, unended, tardy } = fieldsOf(answer);
          return {
            heapBytes: countOf(heapBytes, Number.MAX_SAFE_INTEGER, 'heap bytes'),
            superseded: countOf(superseded, Number.MAX_SAFE_INTEGER, 'replaced readings'),
            refused: occurrencesOf(refused, 'refusals'),
            tardy: occurrencesOf(tardy, 'calls that ended late'),
            unended: countOf(unended, Number.MAX_SAFE_INTEGER, 'calls that never ended'),
          };
        },
      },
    );
    return { lagMs: clock.monotonic() - start, noisy: this.#printed.noisy, ...told };
  }

  /** Asks it to close its connections and exit; kills it after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    const { clock, log, protocol } = this.#options;
    const cancel = clock.after(graceMs, () => {
      const message = `it did not end within ${graceMs / 1000} s of being asked to`;
      log.warn('mapper killed', { protocol, reason: { code: 'MAPPER_UNRESPONSIVE', message } });
      this.kill();
    });
    this.#link.management.send({ t: 'stop' });
    await this.exited;
    cancel();
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #began(said: Ready | readonly string[]): void {
    if ('fits' in said) {
      this.#ready.resolve(said);
      return;
    }
    const { protocol } = this.#options;
    const text = `the mapper for "${protocol}" cannot be used: ${said.join('; ')}`;
    this.#ready.reject(new Misconfigured('MAPPER_BROKEN', text));
  }

  #closed(error: Error | undefined): void {
    if (error !== undefined) {
      const { protocol } = this.#options;
      const known = error instanceof ProtocolFault || error instanceof FrameError;
      const said = known ? error.message : 'its messages could not be understood';
      this.#end(
        'MAPPER_PROTOCOL',
        `the mapper "${protocol}" broke the protocol of its process: ${said}`,
      );
      return;
    }
    const cancel = this.#options.clock.after(LINGER_MS, () =>
      this.#end('MAPPER_PROTOCOL', 'it closed its pipes and went on running'),
    );
    void this.exited.then(cancel);
  }

  #end(code: string, message: string): void {
    this.#reason ??= { code, message };
    this.kill();
  }

  #exited(code: number | null, signal: string | null, error?: Error): void {
    const { protocol } = this.#options;
    const [lines, reason] = [this.lines(), this.#reason];
    const exit = { code, signal, lines, ...(reason && { reason }) };
    const told = reason ? `${reason.message}${lastWords(lines)}` : exitReason(exit).message;
    const down = new Unreachable(
      'MAPPER_DOWN',
      `the process of the mapper "${protocol}" has ended: ${error?.message ?? told}`,
    );
    this.#ready.promise.catch(() => undefined);
    this.#ready.reject(down);
    this.#link.end(down);
    this.#printed.stop();
    this.#exit.resolve(exit);
  }
}
