/**
 * Keeps one mapper's process alive: does the steps that its lifecycle decides, and gives out a mapper that outlives
 * restarts. What happens here touches this mapper's devices only.
 */
import { type Clock, type Log, type Mapper, Misconfigured, Unreachable } from '@limpet/dmi';
import { type Reason } from '@limpet/dmi/manifest';
import { mapperOf } from './facade.ts';
import { type Edition, type MemoryGuard } from './hosted.ts';
import { type Life, type LifeEvent, NEW_LIFE, next, type Step } from './lifecycle.ts';
import { Run } from './run.ts';
import { type MapperStatus } from './status.ts';
import { downReason, stateOf, tellChange, tellObjection } from './supervisor-words.ts';

export interface SupervisorOptions {
  readonly protocol: string;
  readonly edition: Edition;
  readonly clock: Clock;
  readonly log: Log;
  readonly guard?: MemoryGuard | undefined;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Another process than before is the mapper now: its devices shall plan again. */
  readonly replaced: () => void;
}

const PING_MS = 2_500;
/** Devices leave the old process before it is asked to end. */
const LEAVE_MS = 500;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #log: Log;
  readonly #end = new AbortController();
  /** Processes that are not gone yet, and what else must end with this. */
  readonly #under = new Set<Promise<void>>();
  #edition: Edition;
  #life: Life = NEW_LIFE;
  #sinceMs: number;
  #current: Run | undefined;
  #next: Run | undefined;
  #lines: readonly string[] = [];
  /** Of processes that are gone. */
  #superseded = 0;
  /** Devices were turned away or cut off, and must be told when there is a mapper again. */
  #owed = false;
  #moved = Promise.withResolvers<void>();
  #cancelWait: () => void = () => undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#edition = options.edition;
    this.#sinceMs = options.clock.now();
    this.#log = options.log.with({ protocol: options.protocol });
    this.mapper = mapperOf(options.protocol, () => this.#live());
  }

  /** Delegates to whichever process is the mapper; throws Unreachable while none is. */
  readonly mapper: Mapper<unknown, unknown>;

  /**
   * Resolves once the mapper is ready; the first call starts it.
   * @throws Misconfigured MAPPER_BROKEN; Unreachable MAPPER_DOWN, MAPPER_SHED, MAPPER_STOPPED: why, and what comes next
   */
  async ready(): Promise<Mapper<unknown, unknown>> {
    this.#happen({ kind: 'needed' });
    while (this.#life.phase.kind === 'starting') await this.#moved.promise;
    if (this.#life.phase.kind === 'ready') return this.mapper;
    this.#owed = true;
    throw this.#down();
  }

  status(): Omit<MapperStatus, 'hosting'> {
    const { reason, restarts, phase } = this.#life;
    const { version = this.#edition.version, pid, superseded = 0, objection } = this.#current ?? {};
    const told = objection ?? reason;
    return {
      protocol: this.#options.protocol,
      version,
      state: stateOf(phase),
      ...(told && { reason: told }),
      restarts,
      sinceMs: this.#sinceMs,
      ...(pid !== undefined && { pid }),
      budgetBytes: this.#edition.budgetBytes,
      importance: this.#edition.importance,
      superseded: this.#superseded + superseded,
      ...(this.#lines.length > 0 && { lines: this.#lines }),
    };
  }

  /** Other files, a new version or other terms: they take over, and until then the old ones go on. */
  change(edition: Edition): void {
    this.#edition = edition;
    this.#happen({ kind: 'changed' });
  }

  /** Its package is wrong now: what runs goes on, and its status says so. */
  refuse(reason: Reason): void {
    this.#happen({ kind: 'refused', reason });
  }

  /** Stops it to give its memory to others, until `resume`. */
  shed(reason: Reason): void {
    this.#happen({ kind: 'shed', reason });
  }

  /** Stops it until what is wrong was mended: `resume`, or other files. */
  hold(reason: Reason): void {
    this.#happen({ kind: 'hold', reason });
  }

  resume(): void {
    this.#happen({ kind: 'resume' });
  }

  /** Ends it in good order. Resolves once all of its processes are gone. */
  async stop(): Promise<void> {
    this.#end.abort(new Error('the mapper was stopped'));
    this.#cancelWait();
    this.#happen({ kind: 'stop' });
    await this.#gone();
  }

  #happen(event: LifeEvent): void {
    const { clock, random } = this.#options;
    const before = this.#life;
    const { life, steps } = next(before, event, { nowMs: clock.monotonic(), random: random() });
    this.#life = life;
    if (stateOf(before.phase) !== stateOf(life.phase)) this.#sinceMs = clock.now();
    const [lines, version] = [this.#lines, this.#edition.version];
    tellChange(this.#log, { before, life, event, version, lines });
    if (before.phase !== life.phase) {
      this.#moved.resolve();
      this.#moved = Promise.withResolvers<void>();
    }
    for (const step of steps) this.#perform(step);
  }

  #perform(step: Step): void {
    switch (step.kind) {
      case 'start':
        this.#cancelWait();
        this.#current = this.#launch(this.#gone());
        break;
      case 'start-next':
        this.#next = this.#launch(Promise.resolve());
        break;
      case 'take-over':
        this.#takeOver();
        break;
      case 'drop-next':
        this.#next?.drop();
        this.#next = undefined;
        break;
      case 'kill':
        this.#kill();
        break;
      case 'end':
        this.#leave(this.#current, 0);
        this.#current = undefined;
        break;
      case 'wait':
        this.#cancelWait();
        this.#cancelWait = this.#options.clock.after(step.ms, () => this.#happen({ kind: 'due' }));
        break;
      case 'announce':
        this.#announce();
        break;
    }
  }

  #launch(before: Promise<unknown>): Run {
    const { protocol, guard, clock } = this.#options;
    const run = new Run({
      name: protocol,
      edition: this.#edition,
      guard,
      clock,
      told: {
        ready: () => this.#ready(run),
        failed: (_run, reason, broken) => this.#lost(run, { kind: 'failed', reason, broken }),
        exited: (_run, reason) => this.#lost(run, { kind: 'exited', reason }),
        over: (_run, reason) => this.#over(run, reason),
      },
    });
    this.#follow(run.live(before));
    return run;
  }

  #ready(run: Run): void {
    this.#happen({ kind: run === this.#next ? 'next-ready' : 'ready' });
    if (run === this.#current) void this.#ping(run);
  }

  #lost(run: Run, event: Extract<LifeEvent, { kind: 'failed' | 'exited' }>): void {
    this.#lines = run.lines();
    if (run === this.#next) {
      this.#next = undefined;
      this.#happen({ kind: 'next-failed', reason: event.reason });
    } else if (run === this.#current) {
      this.#current = undefined;
      this.#superseded += run.superseded;
      this.#owed = true;
      this.#happen(event);
    }
  }

  #over(run: Run, reason: Reason): void {
    if (run === this.#next) run.kill(reason);
    else if (run === this.#current) this.#happen({ kind: 'over', reason });
  }

  #kill(): void {
    // One that is dying is waited for; one that nobody wants any more is not heard of again.
    if (this.#life.phase.kind === 'dying') return this.#current?.kill(this.#life.reason);
    this.#current?.drop();
    this.#current = undefined;
  }

  #takeOver(): void {
    this.#cancelWait();
    this.#leave(this.#current, LEAVE_MS);
    this.#current = this.#next;
    this.#next = undefined;
  }

  #leave(run: Run | undefined, afterMs: number): void {
    this.#owed = true;
    if (run === undefined) return;
    this.#superseded += run.superseded;
    this.#follow(run.leave(afterMs, this.#end.signal));
  }

  #announce(): void {
    // At the very first start nobody was turned away, and whoever waits is answered.
    const owed = this.#owed;
    this.#owed = false;
    if (owed) this.#options.replaced();
  }

  async #ping(run: Run): Promise<void> {
    const { clock } = this.#options;
    let answered = true;
    const told = new Set<string>();
    while (run === this.#current) {
      // One that was silent is asked again at once.
      if (answered) await clock.sleep(PING_MS, this.#end.signal).catch(() => undefined);
      if (run !== this.#current || this.#end.signal.aborted) return;
      const askedMs = clock.monotonic();
      answered = await run.answers(PING_MS);
      // One that cannot even be asked, because too much waits for it already, has its time as well.
      const leftMs = answered ? 0 : askedMs + PING_MS - clock.monotonic();
      if (leftMs > 0) await clock.sleep(leftMs, this.#end.signal).catch(() => undefined);
      if (run !== this.#current) return;
      tellObjection(this.#log, run.objection, told);
      this.#happen({ kind: answered ? 'answered' : 'silent' });
    }
  }

  #live(): Mapper<unknown, unknown> {
    const mapper = this.#life.phase.kind === 'ready' ? this.#current?.mapper : undefined;
    if (mapper === undefined) throw this.#down();
    return mapper;
  }

  #down(): Misconfigured | Unreachable {
    const { code, message } = downReason(this.#options.protocol, this.#life);
    return code === 'MAPPER_BROKEN'
      ? new Misconfigured(code, message)
      : new Unreachable(code, message);
  }

  #follow(work: Promise<void>): void {
    const settled = work.catch((error: unknown) => {
      this.#log.error('mapper supervision failed: a bug', { error });
    });
    this.#under.add(settled);
    void settled.then(() => this.#under.delete(settled));
  }

  async #gone(): Promise<void> {
    await Promise.all(this.#under);
  }
}
