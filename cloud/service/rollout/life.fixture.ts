/**
 * One life of a rollout, from a seed: devices that obey, refuse and are silent, people who set values by hand, pause, go on and
 * revert, and a service that is killed between any two steps. After each, what must always hold is looked at.
 */
import assert from 'node:assert/strict';
import type { Json } from '@limpet/dmi';
import type { Rollout, RolloutOutcome, RolloutSpec } from '@limpet/dmi/manifest';
import { Random } from '#cloud/protocol/query/random.fixture.ts';
import { Fleet, idOf, REAL, type Variant } from './fleet.fixture.ts';

const WANTED = 50;
const TIMEOUT_S = 30;

export class Life {
  readonly #fleet: Fleet;
  readonly #random: Random;
  readonly #spec: Required<Pick<RolloutSpec, 'batch' | 'maxFailures' | 'withdraw'>> & {
    readonly canary: number;
  };
  readonly #devices: readonly string[];
  /** What is desired of each device, were it not for the rollout. */
  readonly #byHand = new Map<string, Json>();
  /** How often the rollout has told a device. */
  readonly #told = new Map<string, number>();
  #reverted = false;

  static async live(path: string, seed: number, variant: Variant = REAL): Promise<void> {
    const fleet = await Fleet.open(path);
    fleet.variant = variant;
    try {
      const life = new Life(fleet, new Random(seed));
      await life.#begin();
      for (let at = 0; at < 45; at++) await life.#happen();
      await life.#end();
    } finally {
      await fleet.close();
    }
  }

  private constructor(fleet: Fleet, random: Random) {
    this.#fleet = fleet;
    this.#random = random;
    this.#devices = Array.from({ length: 2 + this.#random.below(8) }, (_, at) => idOf(at + 1));
    this.#spec = {
      canary: this.#random.below(4),
      batch: 1 + this.#random.below(4),
      maxFailures: 1 + this.#random.below(3),
      withdraw: this.#random.chance(0.4),
    };
  }

  async #begin(): Promise<void> {
    await this.#fleet.populate(this.#devices.length);
    for (const device of this.#devices) if (this.#random.chance(0.6)) await this.#setByHand(device);
    const query = `UPDATE devices SET desired.setpoint = ${WANTED} WHERE true`;
    await this.#fleet.begin({ query, timeout: `${TIMEOUT_S}s`, ...this.#spec });
  }

  async #happen(): Promise<void> {
    const roll = this.#random.below(1_000) / 1_000;
    const fleet = this.#fleet;
    const device = this.#random.of(this.#devices);
    if (roll < 0.45) await this.#step();
    else if (roll < 0.78) await this.#answer(await this.#underWay());
    else if (roll < 0.84) fleet.clock.advance(1 + this.#random.below(TIMEOUT_S * 700));
    else if (roll < 0.88) await this.#setByHand(device);
    else if (roll < 0.91) await fleet.restart();
    else if (roll < 0.93) await fleet.patch({ paused: true });
    else if (roll < 0.985) await fleet.patch({ paused: false });
    else await this.#revert();
  }

  /** Everybody does what is asked, until it has ended; and often it is reverted then. */
  async #end(): Promise<void> {
    const fleet = this.#fleet;
    for (let at = 0; at < 400; at++) {
      const did = await this.#step();
      if (did === 'rest') break;
      if (did === 'wait') {
        for (const device of await this.#underWay()) await fleet.judge(device, 'applied');
        if ((await fleet.rollout()).spec.paused === true) await fleet.patch({ paused: false });
      }
      assert.ok(at < 399, 'it never ends');
    }
    const phase = (await fleet.rollout()).status?.phase;
    assert.equal(phase, this.#reverted ? 'Reverted' : 'Done');
    if (this.#reverted) return this.#checkReverted();
    if (this.#random.chance(0.3)) return;
    await this.#revert();
    for (let did = await this.#step(); did !== 'rest'; did = await this.#step());
    await this.#checkReverted();
  }

  async #step(): Promise<string> {
    const before = await this.#revs();
    const did = await this.#fleet.step();
    const after = await this.#fleet.orders();
    for (const { device, rev, value } of after) {
      if (rev === before.get(device)) continue;
      if (value === WANTED) this.#told.set(device, (this.#told.get(device) ?? 0) + 1);
      else assert.deepEqual(value, this.#byHand.get(device) ?? null, `${device} gets what was`);
    }
    await this.#check();
    return did;
  }

  async #check(): Promise<void> {
    const { status } = await this.#fleet.rollout();
    const counts = status?.counts ?? assert.fail();
    const outcomes = await this.#fleet.outcomes();
    const is = (state: RolloutOutcome['state']): number =>
      outcomes.filter((each) => each.state === state).length;
    for (const [state, count] of Object.entries(counts)) {
      if (state === 'total') assert.equal(count, outcomes.length);
      else assert.equal(count, is(state as RolloutOutcome['state']), `the count of ${state}`);
    }
    for (const [device, times] of this.#told) assert.equal(times, 1, `${device} is told once`);
    this.#checkPace(status, is);
  }

  #checkPace(status: Rollout['status'], is: (state: RolloutOutcome['state']) => number): void {
    const { canary, batch, maxFailures } = this.#spec;
    const first = status?.batch === 0;
    assert.ok(is('sent') <= (first ? canary : batch), `${is('sent')} under way`);
    if (first) assert.ok(this.#told.size <= canary, `${this.#told.size} told with the canary`);
    const failed = is('rejected') + is('expired') - (status?.forgiven ?? 0);
    const most = maxFailures - 1 + Math.max(batch, canary);
    assert.ok(this.#reverted || failed <= most, `${failed} failed`);
    if (status?.phase === 'Stopped') assert.ok(failed > 0, 'it stops for a reason');
  }

  async #checkReverted(): Promise<void> {
    for (const device of this.#devices) {
      const value = (await this.#fleet.order(device))?.value ?? null;
      assert.deepEqual(value, this.#byHand.get(device) ?? null, `${device} is as it was`);
    }
    for (const { device, state, code } of await this.#fleet.outcomes()) {
      assert.notEqual(state, 'sent', `${device} is under way`);
      if (state === 'skipped') assert.match(code ?? '', /^ROLLOUT_(CHANGED|WITHDRAWN)$/);
    }
  }

  async #revert(): Promise<void> {
    if (this.#reverted) return;
    this.#reverted = true;
    await this.#fleet.patch({ revert: true });
  }

  async #answer(devices: readonly string[]): Promise<void> {
    if (devices.length === 0) return;
    const roll = this.#random.below(1_000) / 1_000;
    const verdict = roll < 0.8 ? 'applied' : roll < 0.92 ? 'rejected' : 'expired';
    await this.#fleet.judge(this.#random.of(devices), verdict);
  }

  async #underWay(): Promise<readonly string[]> {
    const outcomes = await this.#fleet.outcomes();
    return outcomes.filter(({ state }) => state === 'sent').map(({ device }) => device);
  }

  async #setByHand(device: string): Promise<void> {
    const value = 20 + this.#random.below(25);
    await this.#fleet.set(device, value);
    this.#byHand.set(device, value);
  }

  async #revs(): Promise<ReadonlyMap<string, number>> {
    const orders = await this.#fleet.orders();
    return new Map(orders.map(({ device, rev }) => [device, rev]));
  }
}
