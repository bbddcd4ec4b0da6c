/**
 * When a device that failed is tried again (pure): backoff with full jitter, and where others share its port never
 * so soon that its attempts take more than a stated share of the bus.
 */
import { Backoff } from '../kernel/backoff.ts';

/**
 * What one dead slave may cost the port it shares: a twentieth of the time, in every window of ten minutes. An
 * attempt dearer than those before it in the same outage can overrun once, by its own excess.
 */
export const DEAD_SHARE = 0.05;

const WINDOW_MS = 600_000;

export class Retry {
  readonly #backoff: Backoff;
  #dearestMs = 0;
  #attempts = 0;

  constructor(random: () => number) {
    this.#backoff = new Backoff({ minMs: 1_000, maxMs: 300_000, random });
  }

  /** Failures since the last success. */
  get attempts(): number {
    return this.#attempts;
  }

  /** How long to leave the device alone. `costMs`: port time the attempt took from others; 0 when none share it. */
  failed(costMs: number): number {
    this.#attempts += 1;
    this.#dearestMs = Math.max(this.#dearestMs, costMs);
    return Math.max(this.#backoff.next(), restMs(this.#dearestMs));
  }

  succeeded(): void {
    this.#attempts = 0;
    this.#dearestMs = 0;
    this.#backoff.reset();
  }
}

/**
 * The pause after attempts of `costMs` that keeps them within DEAD_SHARE. Over a window W, attempts C with pauses P
 * take at most C(W+P)/(C+P); that is within s*W when P >= C*W(1-s)/(sW-C). With P >= W one attempt at most is in
 * the window; beyond C = sW only the long-run average C/s can be kept.
 */
export function restMs(costMs: number): number {
  const average = costMs / DEAD_SHARE;
  const allowed = DEAD_SHARE * WINDOW_MS;
  if (costMs >= allowed) return average;
  const windowed = (costMs * WINDOW_MS * (1 - DEAD_SHARE)) / (allowed - costMs);
  return Math.max(average, Math.min(WINDOW_MS, windowed));
}
