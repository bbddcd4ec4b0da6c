/** Acts on the ladder's decisions: gives up caches, samples and mappers, takes mappers back, and counts all of it. */
import type { Clock, Log } from '@limpet/dmi';
import type { Reason, ShedStep } from '@limpet/dmi/manifest';
import { type Act, decide, GROUND, type Ladder, type Look, STEPS } from './ladder.ts';

/** Something that can give memory back when asked. It must not throw, and is asked at most once a minute. */
export interface Sheddable {
  readonly name: string;
  /** How much was given up: bytes or items, as the name says. */
  shed(): number;
}

/** The part of the mapper host that giving up a mapper needs. */
export interface ShedHost {
  shed(protocol: string, reason: Reason): unknown;
  resume(protocol: string): unknown;
}

/** The code of a mapper that was given up to save the node's memory. */
const NODE_MEMORY = 'NODE_MEMORY';

export interface ShortageOptions {
  readonly clock: Clock;
  readonly log: Log;
}

export class Shortage {
  readonly #options: ShortageOptions;
  readonly #sheddables = { caches: new Set<Sheddable>(), samples: new Set<Sheddable>() };
  readonly #counts = new Map<ShedStep['step'], { times: number; lastMs: number }>();
  #ladder: Ladder = GROUND;
  #host: ShedHost | undefined;

  constructor(options: ShortageOptions) {
    this.#options = options;
  }

  /** From now on `sheddable` is asked at that step. The returned function takes it back. */
  add(step: 'caches' | 'samples', sheddable: Sheddable): () => void {
    this.#sheddables[step].add(sheddable);
    return () => void this.#sheddables[step].delete(sheddable);
  }

  host(host: ShedHost): void {
    this.#host = host;
  }

  /** One look at the node, and what follows from it. */
  look(look: Look): void {
    const before = this.#ladder;
    const { after, act } = decide(before, look);
    this.#ladder = after;
    if (before.taken > 0 && after.taken === 0) this.#options.log.info('memory is calm again');
    if (act !== undefined) this.#act(act, look.pressure);
  }

  /** How often each step was taken since the start. */
  steps(): readonly ShedStep[] {
    return STEPS.map(({ step }) => {
      const { times, lastMs } = this.#counts.get(step) ?? { times: 0, lastMs: 0 };
      return { step, times, ...(times > 0 && { last: new Date(lastMs).toISOString() }) };
    });
  }

  #act(act: Act, pressure: number): void {
    const { log } = this.#options;
    const share = Number(pressure.toFixed(3));
    if (act.kind === 'resume') {
      log.info('memory is calm: mapper runs again', { protocol: act.protocol });
      this.#host?.resume(act.protocol);
      return;
    }
    this.#count(act.step);
    if (act.step === 'mapper') {
      const message = `stopped because the node's memory is short (${Math.round(pressure * 100)} % of its budget); it runs again once there is room: raise memory.ceiling or memory.core in limpet.yaml, or move devices to another node`;
      log.error('memory is short: mapper stopped', { protocol: act.protocol, share });
      this.#host?.shed(act.protocol, { code: NODE_MEMORY, message });
      return;
    }
    const freed = [...this.#sheddables[act.step]].map((each) => [each.name, each.shed()] as const);
    // Without caches nothing is lost; and what goes on as before is counted, not told again.
    const level = act.again ? 'debug' : act.step === 'caches' ? 'info' : 'warn';
    log[level](`memory is short: ${act.step} given up`, {
      share,
      freed: Object.fromEntries(freed),
    });
  }

  #count(step: ShedStep['step']): void {
    const { times } = this.#counts.get(step) ?? { times: 0 };
    this.#counts.set(step, { times: times + 1, lastMs: this.#options.clock.now() });
  }
}
