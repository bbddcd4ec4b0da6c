/** One mapper under test: its context, its wires, and calls that cannot hang the test. */
import { getEventListeners } from 'node:events';
import { setTimeout as realDelay } from 'node:timers/promises';
import { Garbled, Unreachable } from '../errors.ts';
import type { Connection, Mapper, MapperContext, Reading } from '../mapper.ts';
import type { SimulatedDevice } from '../simulator.ts';
import { Broken } from './broken.ts';
import type { Harm } from './harm.ts';
import { silentLog } from './log.ts';
import { type RigClock, rigClock } from './rig-clock.ts';
import { parse, type Stage } from './stage.ts';
import type { Subject, SubjectItem } from './subject.ts';
import type { Trial } from './trial.ts';
import type { Dialling, Way } from './way.ts';
import type { Wire } from './wire.ts';

/** How a call ended. `listeners`: what it left on its signal. */
export type Outcome<T> = { readonly aborted: boolean; readonly listeners: number } & (
  | { readonly kind: 'value'; readonly value: T }
  | { readonly kind: 'error'; readonly error: unknown }
  | { readonly kind: 'hung' }
);

/** How the mapper's time passes: like real time, or so that its time-outs are soon over where it is not real. */
export type Pace = 'healthy' | 'fast';

/** How long a call may run (mapper's time) before its signal is aborted, and then (real time) to end. */
const PATIENCE_MS = 60_000;
/** The same where the mapper's time is real. */
const REAL_PATIENCE_MS = 2_000;
const PROMPT_MS = 500;
const HEALTHY_MS = 10_000;
/** How long what a device tells by itself is waited for. */
const HEARD_MS = 2_000;

export class Rig {
  readonly mapper: Mapper<unknown, unknown>;
  readonly subject: Subject;
  readonly clock: RigClock;
  readonly #stage: Stage;
  readonly #context: MapperContext;

  private constructor(trial: Trial, stage: Stage) {
    const { mapper, subject } = trial;
    this.mapper = mapper;
    this.subject = subject;
    this.#stage = stage;
    this.clock = rigClock(subject.realTime === true);
    this.#context = {
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

  /** What opening the device meets from now on. */
  async meet(dialling: Dialling): Promise<void> {
    await this.#way.meet(dialling);
  }

  /** Resets what is open, as when a cable is pulled. */
  async cut(): Promise<void> {
    await this.#way.cut();
  }

  /** Connects, on a wire that does no harm. */
  async connect(): Promise<Connection<unknown>> {
    return value(await this.tryConnect('healthy'), 'connect');
  }

  async tryConnect(pace: Pace): Promise<Outcome<Connection<unknown>>> {
    const { mapper } = this;
    const settings = await this.settings();
    return this.call((signal) => mapper.connect(settings, this.#context, signal), pace);
  }

  /** Reads items of the subject on a healthy wire; throws {@link Broken} when that fails. */
  async read(
    connection: Connection<unknown>,
    items: readonly Pick<SubjectItem, 'visitor'>[],
  ): Promise<readonly Reading[]> {
    return value(await this.tryRead(connection, items, 'healthy'), 'read');
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
    let ended: ({ kind: 'value'; value: T } | { kind: 'error'; error: unknown }) | undefined;
    // An `async` wrapper, so that a synchronous throw counts as a rejection.
    const running = (async () => start(signal))().then(
      (result) => void (ended = { kind: 'value', value: result }),
      (error: unknown) => void (ended = { kind: 'error', error }),
    );
    const end = this.clock.monotonic() + abortAfterMs;
    while (ended === undefined && this.clock.monotonic() < end) {
      await this.#pass(running, pace === 'fast' ? 500 : undefined);
    }
    const aborted = ended === undefined;
    if (aborted) {
      abort.abort();
      await Promise.race([running, realDelay(PROMPT_MS, undefined, { ref: false })]);
    }
    const listeners = getEventListeners(signal, 'abort').length;
    return { ...(ended ?? { kind: 'hung' }), aborted, listeners };
  }

  /** Lets time pass, the mapper's like real time, until it happened; whether it did. */
  async until(happened: () => boolean, patienceMs: number = HEARD_MS): Promise<boolean> {
    const end = this.clock.monotonic() + patienceMs;
    const never = new Promise<void>(() => undefined);
    while (!happened() && this.clock.monotonic() < end) await this.#pass(never);
    return happened();
  }

  /** Lets a little real time go by, and `ms` (or as much) of the mapper's. */
  async #pass(running: Promise<void>, ms?: number): Promise<void> {
    const before = performance.now();
    await Promise.race([running, realDelay(1)]);
    const passed = ms ?? Math.min(50, performance.now() - before);
    await this.#stage.clock.advance(passed);
    await this.clock.advance(passed);
  }

  #patienceMs(pace: Pace): number {
    if (pace === 'healthy') return HEALTHY_MS;
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

/** The value of a call that had to succeed. */
export function value<T>(outcome: Outcome<T>, what: string): T {
  if (outcome.kind === 'value') return outcome.value;
  throw new Broken(`${what} ${say(outcome)}`);
}

/** Insists that a call was rejected by one of the errors that say the device is lost. */
export function lost(outcome: Outcome<unknown>, what: string, garbled: 'garbled-too' | 'no'): void {
  const right =
    outcome.kind === 'error' &&
    (outcome.aborted ||
      outcome.error instanceof Unreachable ||
      (garbled === 'garbled-too' && outcome.error instanceof Garbled));
  const wanted = garbled === 'no' ? 'Unreachable' : 'Unreachable or Garbled';
  if (!right) throw new Broken(`${what} must reject with ${wanted}; it ${say(outcome)}`);
}

/** How a call ended, in words. */
export function say(outcome: Outcome<unknown>): string {
  if (outcome.kind === 'hung') return 'did not end, not even when its signal was aborted';
  if (outcome.kind === 'value') return 'succeeded';
  const { error } = outcome;
  return `rejected with ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`;
}
