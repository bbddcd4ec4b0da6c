/** One mapper under test: its context, its wires, and calls that cannot hang the test. */
import { getEventListeners } from 'node:events';
import { setImmediate, setTimeout as realDelay } from 'node:timers/promises';
import type { Search } from '../discovery.ts';
import type { Connection, Mapper, MapperContext, Reading } from '../mapper.ts';
import type { SimulatedDevice } from '../simulator.ts';
import type { Value } from '../value.ts';
import { NotApplicable } from './broken.ts';
import type { Harm } from './harm.ts';
import { silentLog } from './log.ts';
import { type Ended, type Outcome, value } from './outcome.ts';
import { type RigClock, rigClock } from './rig-clock.ts';
import { parse, type Stage } from './stage.ts';
import type { Subject, SubjectItem } from './subject.ts';
import type { Trial } from './trial.ts';
import type { Dialling, Way } from './way.ts';
import type { Wire } from './wire.ts';

/**
 * How the mapper's time passes where it is not real: like real time; 25 ms a turn, for what is already loaded; or so
 * that its time-outs are soon over, in large steps or in small ones that show when.
 */
export type Pace = 'healthy' | 'quick' | 'fast' | 'fine';

const STEP_MS: Readonly<Record<Pace, number>> = { healthy: 5, quick: 25, fast: 500, fine: 20 };
/** So many turns without a byte, and nothing but time will bring the next one. */
const QUIET_TURNS = 4;
const MAX_TURNS = 1000;

/** How long a call may run (mapper's time) before its signal is aborted, and then (real time) to end. */
const PATIENCE_MS = 60_000;
/** The same where the mapper's time is real. */
const REAL_PATIENCE_MS = 2_000;
/** When an aborted call that has not ended hangs (real time). */
const HUNG_MS = 500;
const HEALTHY_MS = 10_000;
/** How long what a device tells by itself is waited for. */
const HEARD_MS = 2_000;

export class Rig {
  readonly mapper: Mapper<unknown, unknown>;
  readonly subject: Subject;
  readonly clock: RigClock;
  readonly #stage: Stage;
  readonly context: MapperContext;

  private constructor(trial: Trial, stage: Stage) {
    const { mapper, subject } = trial;
    this.mapper = mapper;
    this.subject = subject;
    this.#stage = stage;
    this.clock = rigClock(subject.realTime === true);
    this.context = {
      device: 'default/subject',
      clock: this.clock,
      log: silentLog(),
      dial: (address, signal) => stage.way.dial(address, this.clock, signal),
      ...(subject.folder === undefined ? {} : { folder: subject.folder }),
    };
  }

  static async open(trial: Trial): Promise<Rig> {
    const stage = await trial.stage();
    await stage.reset();
    return new Rig(trial, stage);
  }

  /** The simulated device. */
  get device(): SimulatedDevice {
    return this.#stage.device;
  }

  /** Whether nothing beside the mapper and its simulator takes part. */
  get inMemory(): boolean {
    return this.#way.inMemory;
  }

  /** What was opened; empty where the kit cannot see it. */
  get wires(): readonly Wire[] {
    return this.#stage.way.wires;
  }

  /** The mapper's own form of a visitor of the subject. */
  visitor(visitor: unknown): unknown {
    return this.#stage.visitor(visitor);
  }

  /** The mapper's own form of the settings with which it reaches the device now. */
  settings(): Promise<unknown> {
    return parse(this.mapper.settings, this.#way.settings(), 'the settings');
  }

  /** What happens to answers from now on. Throws {@link NotApplicable} where that cannot be done. */
  async hurt(harm: Harm): Promise<void> {
    await this.#way.hurt(harm);
  }

  /** From now on each piece of an answer comes so late, by the simulator's clock. */
  async late(ms: number): Promise<void> {
    await this.hurt({ kind: 'late', ms, clock: this.#stage.clock });
  }

  /** What opening the device meets from now on. */
  async meet(dialling: Dialling): Promise<void> {
    await this.#way.meet(dialling);
  }

  /** Resets what is open, as when a cable is pulled. */
  async cut(): Promise<void> {
    await this.#way.cut();
  }

  can(kind: Harm['kind']): boolean {
    return this.#way.can(kind);
  }

  /** Bytes of answers that reached the mapper since the rig was opened. Throws {@link NotApplicable}. */
  bytes(): number {
    if (!this.#way.visible) throw new NotApplicable('the kit cannot see the wire of this mapper');
    return this.wires.reduce((sum, { answered }) => sum + answered, 0);
  }

  /** Another device, by the same simulator. */
  simulate(settings: unknown, items: readonly SubjectItem[]): Promise<SimulatedDevice> {
    return this.#stage.another(this.mapper, settings, items);
  }

  /** Simulated calls of this method so far. */
  calls(method: string): number {
    return this.#stage.calls(method);
  }

  /** What to give to `discover`, so that it finds the device. Throws {@link NotApplicable}. */
  search(): Search {
    const { discover } = this.subject;
    if (discover === undefined) throw new NotApplicable('the subject says nothing of discover');
    return discover(this.#way.address);
  }

  /** Connects, on a wire that does no harm. */
  async connect(pace: Pace = 'healthy'): Promise<Connection<unknown>> {
    return value(await this.tryConnect(pace), 'connect');
  }

  async tryConnect(pace: Pace, abortAfterMs?: number): Promise<Outcome<Connection<unknown>>> {
    const { mapper } = this;
    const settings = await this.settings();
    const connect = (signal: AbortSignal): Promise<Connection<unknown>> =>
      mapper.connect(settings, this.context, signal);
    return this.call(connect, pace, abortAfterMs);
  }

  tryWrite(
    connection: Connection<unknown>,
    item: Pick<SubjectItem, 'visitor'>,
    wanted: Value,
    options: { readonly pace: Pace; readonly abortAfterMs?: number } = { pace: 'healthy' },
  ): Promise<Outcome<Value>> {
    const visitor = this.visitor(item.visitor);
    const write = (signal: AbortSignal): Promise<Value> =>
      connection.write(visitor, wanted, signal);
    return this.call(write, options.pace, options.abortAfterMs);
  }

  /** Reads items of the subject on a healthy wire; throws {@link Broken} when that fails. */
  async read(
    connection: Connection<unknown>,
    items: readonly Pick<SubjectItem, 'visitor'>[],
  ): Promise<readonly Reading[]> {
    const readings = value(await this.tryRead(connection, items, 'healthy'), 'read');
    this.#stage.warm = true;
    return readings;
  }

  tryRead(
    connection: Connection<unknown>,
    items: readonly Pick<SubjectItem, 'visitor'>[],
    pace: Pace,
  ): Promise<Outcome<readonly Reading[]>> {
    const visitors = items.map((item) => this.visitor(item.visitor));
    return this.call((signal) => connection.read(visitors, signal), pace);
  }

  /**
   * Runs one call. On a `healthy` wire the mapper's time passes like real time; else `fast`, so that its
   * time-outs are soon over. A call that does not end by itself is aborted, and is `hung` if that does not help.
   */
  async call<T>(
    start: (signal: AbortSignal) => Promise<T>,
    pace: Pace,
    abortAfterMs: number = this.#patienceMs(pace),
  ): Promise<Outcome<T>> {
    const abort = new AbortController();
    const { signal } = abort;
    let ended: Ended<T> | undefined;
    // An `async` wrapper, so that a synchronous throw counts as a rejection.
    const running = (async () => start(signal))().then(
      (result) => void (ended = { kind: 'value', value: result }),
      (error: unknown) => void (ended = { kind: 'error', error }),
    );
    const begun = this.clock.monotonic();
    while (ended === undefined && this.clock.monotonic() < begun + abortAfterMs) {
      await this.#pass(running, pace);
    }
    const [tookMs, aborted] = [this.clock.monotonic() - begun, ended === undefined];
    const abortedAt = performance.now();
    if (aborted) {
      abort.abort();
      await Promise.race([running, realDelay(HUNG_MS, undefined, { ref: false })]);
    }
    const afterAbortMs = performance.now() - abortedAt;
    const listeners = getEventListeners(signal, 'abort').length;
    return { ...(ended ?? { kind: 'hung' }), aborted, listeners, tookMs, afterAbortMs };
  }

  /** Lets time pass, the mapper's like real time, until it happened; whether it did. */
  async until(happened: () => boolean, patienceMs: number = HEARD_MS): Promise<boolean> {
    const end = this.clock.monotonic() + patienceMs;
    const never = new Promise<void>(() => undefined);
    while (!happened() && this.clock.monotonic() < end) await this.#pass(never, 'healthy');
    return happened();
  }

  /** Lets a little real time go by where somebody may need it, and of the mapper's what its pace says. */
  async #pass(running: Promise<void>, pace: Pace): Promise<void> {
    const before = performance.now();
    await Promise.race([
      running,
      this.inMemory && pace !== 'healthy' ? this.#quiet() : realDelay(1),
    ]);
    const real = Math.min(50, performance.now() - before);
    const passed = pace === 'healthy' && !this.#stage.warm ? real : STEP_MS[pace];
    await this.#stage.clock.advance(passed);
    await this.clock.advance(passed);
  }

  /** Until nothing moves on the wires any more. */
  async #quiet(): Promise<void> {
    const moved = (): number => this.wires.reduce((sum, wire) => sum + wire.moved, 0);
    let last = moved();
    for (let turn = 0, still = 0; turn < MAX_TURNS && still < QUIET_TURNS; turn++) {
      await setImmediate();
      still = moved() === last ? still + 1 : 0;
      last = moved();
    }
  }

  #patienceMs(pace: Pace): number {
    if (pace === 'healthy' || pace === 'quick') return HEALTHY_MS;
    const { realTime, patienceMs = REAL_PATIENCE_MS } = this.subject;
    return realTime === true ? patienceMs : PATIENCE_MS;
  }

  get #way(): Way {
    return this.#stage.way;
  }

  /** Cuts what a broken mapper left open. */
  dispose(): void {
    this.#way.sweep();
  }
}
