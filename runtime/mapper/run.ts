/** One run of a mapper's process, from before its start to its exit. Says what happens, and decides nothing. */
import { type Clock, type Mapper, Misconfigured } from '@limpet/dmi';
import { type Reason } from '@limpet/dmi/manifest';
import { GOOD_CONDUCT, objection } from './conduct.ts';
import { exitReason, heapFull } from './exit-reason.ts';
import { type Edition, type Hosted, type MemoryGuard, type Spawned } from './hosted.ts';

export interface RunOptions {
  /** The protocol. */
  readonly name: string;
  readonly edition: Edition;
  readonly guard: MemoryGuard | undefined;
  readonly clock: Clock;
  /** None of them comes after `drop`. */
  readonly told: {
    ready(run: Run): void;
    /** It did not get ready: `broken` when it never will. */
    failed(run: Run, reason: Reason, broken: boolean): void;
    exited(run: Run, reason: Reason): void;
    /** It has more memory than its budget. */
    over(run: Run, reason: Reason): void;
  };
}

const GRACE_MS = 2_000;

export class Run {
  readonly #options: RunOptions;
  #child: Spawned | undefined;
  #hosted: Hosted | undefined;
  #killed: Reason | undefined;
  #dropped = false;
  #conduct = GOOD_CONDUCT;
  #objection: Reason | undefined;

  constructor(options: RunOptions) {
    this.#options = options;
  }

  get version(): string {
    return this.#options.edition.version;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get superseded(): number {
    return this.#hosted?.superseded ?? 0;
  }

  get mapper(): Mapper<unknown, unknown> | undefined {
    return this.#hosted?.mapper;
  }

  /** What it was seen to do at its last health check, and should not. */
  get objection(): Reason | undefined {
    return this.#objection;
  }

  lines(): readonly string[] {
    return this.#child?.lines() ?? [];
  }

  /** Starts it once `before` has come. Resolves when it is gone. */
  async live(before: Promise<unknown>): Promise<void> {
    await before;
    if (this.#dropped) return;
    let release: () => Reason | undefined = () => undefined;
    try {
      const hosted = await this.#options.edition.launch((child) => {
        this.#child = child;
        release = this.#admit(child);
      });
      this.#hosted = hosted;
      if (this.#dropped) hosted.kill();
      else this.#options.told.ready(this);
      const exit = await hosted.exited;
      const reason = release() ?? exitReason(exit);
      if (!this.#dropped) this.#options.told.exited(this, reason);
    } catch (error) {
      this.#failed(error, release());
    }
  }

  /** Whether it answered within `withinMs`. */
  async answers(withinMs: number): Promise<boolean> {
    const late = new AbortController();
    const cancel = this.#options.clock.after(withinMs, () => late.abort(new Error('no answer')));
    try {
      const conduct = (await this.#hosted?.health(late.signal)) ?? this.#conduct;
      this.#objection = objection(this.#conduct, conduct);
      this.#conduct = conduct;
      return true;
    } catch {
      // Whatever it was: a process that is gone says so by its exit.
      return false;
    } finally {
      cancel();
    }
  }

  /** With a reason, its failed start is told with that. */
  kill(reason?: Reason): void {
    this.#killed ??= reason;
    this.#child?.kill();
  }

  /** Nobody wants it any more: it is killed, and heard of no more. */
  drop(): void {
    this.#dropped = true;
    this.#child?.kill();
  }

  /** As `drop`, but in good order. Resolves once it is gone. */
  async leave(afterMs: number, hurry: AbortSignal): Promise<void> {
    this.#dropped = true;
    await this.#options.clock.sleep(afterMs, hurry).catch(() => undefined);
    await this.#hosted?.stop(GRACE_MS);
  }

  #admit(child: Spawned): () => Reason | undefined {
    if (this.#dropped) child.kill();
    const { guard, name, edition, told } = this.#options;
    const over = (reason: Reason): void => {
      if (!this.#dropped) told.over(this, reason);
    };
    const admitted = guard?.admit({ name, pid: child.pid, budgetBytes: edition.budgetBytes, over });
    return admitted ?? (() => undefined);
  }

  #failed(error: unknown, memory: Reason | undefined): void {
    if (this.#dropped) return;
    const { code = 'MAPPER_FAULT' } = error as { code?: string };
    const message = error instanceof Error ? error.message : String(error);
    const broken = error instanceof Misconfigured;
    const reason = this.#killed ?? memory ?? heapFull(this.lines()) ?? { code, message };
    this.#options.told.failed(this, reason, broken);
  }
}
