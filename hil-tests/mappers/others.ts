/** The devices beside an offender, and whether they felt it: by the samples that the edge kept of them. */
import assert from 'node:assert/strict';
import { type TestContext } from 'node:test';
import type { ApiClient } from '#protocol/api';
import { Hindrance } from '../rig/hindrance.ts';
import { type Beats, Pulse } from '../rig/pulse.ts';

export const PERIOD_MS = 250;
/** Less than a period with it: a read that was left out is always seen, where the machine is not overloaded. */
const MARGIN_MS = 150;

/** So old, the edge calls a value overdue. */
const STALE_MS = 3 * PERIOD_MS;

/** Two Modbus devices, whose mapper is inline, and one of a third party's mapper in a process. */
const DEVICES = ['meter-1', 'meter-2', 'neighbour-1'];

export interface OthersOptions {
  readonly api: ApiClient;
  /** Of the edge; it may be another one later. */
  readonly edge: () => number;
  /** Of the neighbour's mapper. */
  readonly neighbour: () => readonly number[];
}

export class Others {
  readonly #options: OthersOptions;
  readonly #pulse: Pulse;
  readonly #hindrance: Hindrance;
  #neighbour: readonly number[] = [];

  constructor(options: OthersOptions) {
    this.#options = options;
    this.#pulse = new Pulse(options.api, DEVICES);
    this.#hindrance = new Hindrance(() => [options.edge(), ...this.#neighbour]);
  }

  /** Begins to watch them. */
  mark(): void {
    this.#neighbour = this.#options.neighbour();
    this.#pulse.mark();
  }

  /** Resolves once each was read. */
  async read(): Promise<void> {
    await this.#pulse.beats();
  }

  /**
   * Fails where the offender was felt since the mark: where a device was not read in a period, or was read later than
   * the margin and what this machine kept the processes on its way waiting for a processor. Prints what was measured.
   */
  async unharmed(t: TestContext, log: () => string): Promise<void> {
    const seen = (await this.#pulse.beats()).map((beats) => ({ ...beats, ...this.#gaps(beats) }));
    const told = seen
      .map(({ device, steps, longestMs }) => `${device} ${longestMs} ms of ${steps.length}`)
      .join(', ');
    t.diagnostic(`longest between two samples: ${told}`);
    for (const { device, longestMs, unexplainedMs, lost, faults } of seen) {
      const late = `${device} was read ${unexplainedMs} ms late, waits for a processor not counted`;
      assert.ok(unexplainedMs <= MARGIN_MS, `${late}; ${told}\n${log()}`);
      assert.equal(lost, 0, `${device} was read, and its values were lost\n${log()}`);
      // Rightly stale, where the machine alone took so long.
      if (longestMs < STALE_MS)
        assert.deepEqual(faults, [], `${device} was not always online and good\n${log()}`);
    }
  }

  stop(): void {
    this.#hindrance.stop();
  }

  #gaps({ device, steps }: Beats): { readonly longestMs: number; readonly unexplainedMs: number } {
    const core = this.#options.edge();
    const through = device.startsWith('neighbour') ? [core, ...this.#neighbour] : [core];
    const late = steps.map(({ from, to }) => {
      return to - from - PERIOD_MS - Math.ceil(this.#hindrance.between(from, to, through));
    });
    return {
      longestMs: Math.max(...steps.map(({ from, to }) => to - from)),
      unexplainedMs: Math.max(...late),
    };
  }
}
