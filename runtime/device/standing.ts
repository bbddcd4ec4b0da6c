/** How one device fares, as the store and the log are told: each transition once, what follows is debug. */
import { type Clock, type Log } from '@limpet/dmi';
import { type Reason } from '@limpet/dmi/manifest';
import { type Reaction } from './reaction.ts';
import { type Reporter } from './reporter.ts';

export interface StandingOptions {
  readonly reporter: Reporter;
  readonly clock: Clock;
  readonly log: Log;
}

export class Standing {
  readonly #options: StandingOptions;
  #outage: { readonly sinceMs: number; readonly code: string } | undefined;
  #wasOnline = false;

  constructor(options: StandingOptions) {
    this.#options = options;
  }

  /** The device is lost, or misconfigured. */
  get away(): boolean {
    return this.#outage !== undefined;
  }

  /** The device answers; `attempts`: how often it was tried in vain. */
  answered(attempts: number): void {
    const { reporter, clock, log } = this.#options;
    const outage = this.#outage;
    if (outage === undefined && this.#wasOnline) return;
    if (outage === undefined) {
      log.info('device online');
    } else {
      const downMs = Math.round(clock.monotonic() - outage.sinceMs);
      log.info('device back', { downMs, attempts });
    }
    this.#outage = undefined;
    this.#wasOnline = true;
    reporter.state('online');
  }

  /** The device does not answer, for the `attempts`-th time. */
  lost(reaction: Reaction, reason: Reason, cause: { error: unknown; attempts: number }): void {
    const { log } = this.#options;
    const told = fields(reason);
    if (this.#outage?.code === reason.code) {
      log.debug('device still lost', { ...told, attempts: cause.attempts });
    } else if (reaction === 'bug') {
      log.error('mapper fault', { error: cause.error });
    } else if (this.#outage === undefined) {
      log.warn('device lost', told);
    }
    this.#away('offline', reason, 'DEVICE_OFFLINE');
  }

  /** Nothing is tried until a manifest changes. */
  misconfigured(reason: Reason): void {
    if (this.#outage?.code !== reason.code) {
      this.#options.log.error('device misconfigured', fields(reason));
    }
    this.#away('misconfigured', reason, 'DEVICE_MISCONFIGURED');
  }

  #away(state: 'offline' | 'misconfigured', reason: Reason, code: string): void {
    const { reporter, clock } = this.#options;
    const sinceMs = this.#outage?.sinceMs ?? clock.monotonic();
    this.#outage = { sinceMs, code: reason.code };
    reporter.state(state, reason);
    reporter.stale({ code, message: reason.message });
  }
}

/** A line of the log has a message of its own. */
function fields({ code, message }: Reason): Record<string, unknown> {
  return { code, reason: message };
}
