/** One mapper under test: its context, its wires, and calls that cannot hang the test. */
import { getEventListeners } from 'node:events';
import { setTimeout as realDelay } from 'node:timers/promises';
import { Garbled, Unreachable } from '../errors.ts';
import type { Connection, Mapper, MapperContext, Reading } from '../mapper.ts';
import { type FakeClock, fakeClock } from './clock.ts';
import { silentLog } from './log.ts';
import type { Subject, SubjectItem } from './subject.ts';
import { type Harm, Wire } from './wire.ts';

/** How a call ended. `listeners`: what it left on its signal. */
export type Outcome<T> = { readonly aborted: boolean; readonly listeners: number } & (
  | { readonly kind: 'value'; readonly value: T }
  | { readonly kind: 'error'; readonly error: unknown }
  | { readonly kind: 'hung' }
);

/** Thrown by an assertion: the promise that the mapper broke, as a sentence. */
export class Broken extends Error {}
/** Thrown by an assertion that has nothing to test on this subject. */
export class NotApplicable extends Error {}

/** How long a call may run (mapper's time) before its signal is aborted, and then (real time) to end. */
const PATIENCE_MS = 60_000;
const PROMPT_MS = 500;
const HEALTHY_MS = 10_000;
/** How long what a device tells by itself is waited for. */
const HEARD_MS = 2_000;

type Parsed = { readonly settings: unknown; readonly visitors: ReadonlyMap<unknown, unknown> };

export class Rig {
  readonly mapper: Mapper<unknown, unknown>;
  readonly subject: Subject;
  readonly clock: FakeClock = fakeClock();
  readonly wires: Wire[] = [];
  /** What happens to answers, on every wire. */
  harm: Harm = { kind: 'none' };
  /** What dialling does. */
  dialling: 'answers' | 'refuses' | 'hangs' = 'answers';
  readonly #parsed: Parsed;
  readonly #context: MapperContext;

  private constructor(mapper: Mapper<unknown, unknown>, subject: Subject, parsed: Parsed) {
    this.mapper = mapper;
    this.subject = subject;
    this.#parsed = parsed;
    this.#context = {
      device: 'default/subject',
      clock: this.clock,
      log: silentLog(),
      dial: (address, signal) => this.#dial(address, signal),
    };
  }

  static async open(mapper: Mapper<unknown, unknown>, subject: Subject): Promise<Rig> {
    const settings = await parse(mapper.settings, subject.settings, 'the settings');
    const visitors = new Map<unknown, unknown>();
    for (const visitor of [...subject.items.map((item) => item.visitor), subject.refused]) {
      if (visitor === undefined) continue;
      visitors.set(visitor, await parse(mapper.visitor, visitor, 'a visitor'));
    }
    return new Rig(mapper, subject, { settings, visitors });
  }

  get settings(): unknown {
    return this.#parsed.settings;
  }

  /** The mapper's own form of a visitor of the subject. */
  visitor(visitor: unknown): unknown {
    return this.#parsed.visitors.get(visitor);
  }

  /** Connects, on a wire that does no harm. */
  async connect(): Promise<Connection<unknown>> {
    return value(await this.tryConnect('healthy'), 'connect');
  }

  tryConnect(pace: 'healthy' | 'fast'): Promise<Outcome<Connection<unknown>>> {
    const { mapper } = this;
    return this.call((signal) => mapper.connect(this.settings, this.#context, signal), pace);
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
    pace: 'healthy' | 'fast',
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
    pace: 'healthy' | 'fast',
    abortAfterMs: number = pace === 'fast' ? PATIENCE_MS : HEALTHY_MS,
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
    await this.clock.advance(ms ?? Math.min(50, performance.now() - before));
  }

  async #dial(address: string, signal: AbortSignal): ReturnType<MapperContext['dial']> {
    signal.throwIfAborted();
    if (this.dialling === 'refuses') {
      throw new Unreachable('DIAL_REFUSED', `nothing answers at ${address}`);
    }
    if (this.dialling === 'hangs') await this.clock.sleep(24 * 3_600_000, signal);
    const wire = new Wire(this.subject.serve, () => this.harm);
    this.wires.push(wire);
    return wire.near;
  }

  /** Cuts what a broken mapper left open. */
  dispose(): void {
    for (const wire of this.wires) wire.near.destroy();
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

async function parse(
  schema: Mapper<unknown, unknown>['settings'],
  input: unknown,
  what: string,
): Promise<unknown> {
  const result = await schema['~standard'].validate(input);
  if (result.issues === undefined) return result.value;
  const issues = result.issues.map((issue) => issue.message).join('; ');
  throw new Broken(`the mapper's schema refuses ${what} of the subject: ${issues}`);
}
