/**
 * Makes one device what is wanted of it: decides, has it written, gives a verdict. One order at a time; a property
 * that is wanted differently while it waits is written once, with the latest value.
 */
import { type Clock, type Log, Unreachable } from '@limpet/dmi';
import { type DeviceModel, type Id } from '@limpet/dmi/manifest';
import { Deadlines } from './deadlines.ts';
import { nextStep, type Occasion, type Step } from './order.ts';
import { type Decide, OrderWriter, type Target } from './order-writer.ts';
import { clipped } from './plan.ts';
import { type Session, SESSION_ENDED } from './session.ts';
import { type DeviceStore } from './store-door.ts';

export interface ReconcilerOptions {
  readonly device: Id;
  readonly store: DeviceStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly model: () => DeviceModel | undefined;
  /** The connection of now, if there is one. */
  readonly session: () => Session | undefined;
}

/** Bounded by the number of properties: each waits once, and has one timer at most. */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #waiting = new Map<string, Occasion>();
  readonly #deadlines: Deadlines;
  readonly #writer: OrderWriter;
  #running: Promise<void> | undefined;
  readonly #end = new AbortController();

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#writer = new OrderWriter({ ...options, signal: this.#end.signal });
    this.#deadlines = new Deadlines(options, (name) => this.#put(name, 'order'));
  }

  /** Something is wanted of this property, or no longer. */
  order(name: string): void {
    this.#put(name, 'order');
  }

  /** The device is there again, and has said what it is. */
  reconnected(): void {
    this.#putAll('reconnect');
  }

  /** At the start: sets the clocks of orders that wait. */
  start(): void {
    this.#putAll('order');
  }

  /** Starts nothing more; resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.#end.abort(new Unreachable(SESSION_ENDED, 'the device was stopped'));
    this.#waiting.clear();
    this.#deadlines.stop();
    await this.#running;
  }

  #putAll(occasion: Occasion): void {
    const { store, device } = this.#options;
    for (const [name, { desired }] of store.twin(device)?.properties ?? []) {
      if (desired !== undefined) this.#put(name, occasion);
    }
  }

  #put(name: string, occasion: Occasion): void {
    if (this.#end.signal.aborted) return;
    // A reconnect that waits is not forgotten because an order came as well.
    if (this.#waiting.get(name) !== 'reconnect') this.#waiting.set(name, occasion);
    this.#running ??= this.#drain();
  }

  async #drain(): Promise<void> {
    // A later turn, so that orders placed in one go count as one.
    await Promise.resolve();
    while (this.#waiting.size > 0) {
      const due = new Map(this.#waiting);
      this.#waiting.clear();
      const session = this.#options.session();
      const targets = [...due].flatMap(([name, occasion]) => this.#target(name, occasion, session));
      if (session !== undefined && targets.length > 0) await this.#carryOut(targets, session, due);
    }
    this.#running = undefined;
  }

  /** Where the order of this property is to be written; nowhere when it can be judged without, which is done. */
  #target(name: string, occasion: Occasion, session: Session | undefined): readonly Target[] {
    try {
      this.#deadlines.watch(name);
      const step = this.#step(name, occasion);
      const planned = session?.plan.properties.get(name);
      if (step.kind === 'write' && planned !== undefined) return [{ name, planned }];
      this.#judge(name, step);
    } catch (error) {
      this.#options.log.error('an order could not be carried out', { property: name, error });
    }
    return [];
  }

  /** Writes some of them; those left wait on, behind nothing that came meanwhile. */
  async #carryOut(
    targets: readonly Target[],
    session: Session,
    due: ReadonlyMap<string, Occasion>,
  ): Promise<void> {
    const decide = (name: string) => this.#decide(name, due.get(name) as Occasion);
    let done = 1;
    try {
      done = await this.#writer.carryOut(targets, session, decide);
    } catch (error) {
      const { name } = targets[0] as Target;
      this.#options.log.error('an order could not be carried out', { property: name, error });
    }
    if (this.#end.signal.aborted) return;
    const came = [...this.#waiting];
    this.#waiting.clear();
    for (const { name } of targets.slice(done)) this.#waiting.set(name, due.get(name) as Occasion);
    for (const [name, occasion] of came) this.#put(name, occasion);
  }

  #decide(name: string, occasion: Occasion): ReturnType<Decide> {
    const now = this.#step(name, occasion);
    const rev = this.#rev(name);
    if (now.kind === 'write' && rev !== undefined) return { rev, value: now.value };
    this.#judge(name, now);
    return undefined;
  }

  #step(name: string, occasion: Occasion): Step {
    const { store, device, clock, model, session } = this.#options;
    const { desired, reported } = store.twin(device)?.properties.get(name) ?? {};
    return nextStep({
      property: name,
      occasion,
      desired,
      reported,
      readBack: store.readBack(device, name),
      expired: (store.deadline(device, name) ?? Infinity) <= clock.now(),
      model: model(),
      settled: session()?.settled ?? false,
    });
  }

  #judge(name: string, step: Step): void {
    const { store, device, clock } = this.#options;
    const rev = this.#rev(name);
    if (rev === undefined) return;
    switch (step.kind) {
      case 'expired': {
        const message = 'it ran out before the device could be told';
        store.judge(device, name, rev, {
          verdict: 'expired',
          reason: { code: 'EXPIRED', message },
        });
        break;
      }
      case 'agreed':
        store.judge(device, name, rev, {
          verdict: 'applied',
          confirmed: clock.now(),
          readBack: step.readBack,
        });
        break;
      case 'rejected':
        store.judge(device, name, rev, { verdict: 'rejected', reason: clipped(step.reason) });
        break;
      case 'none':
      case 'write':
        break;
    }
  }

  #rev(name: string): number | undefined {
    const { store, device } = this.#options;
    return store.twin(device)?.properties.get(name)?.desired?.rev;
  }
}
