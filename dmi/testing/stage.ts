/** One run's simulated device, and the way to it: made when first needed, and the same for every promise. */
import type { Log, Mapper } from '../mapper.ts';
import type { SimulatedDevice } from '../simulator.ts';
import { Broken } from './broken.ts';
import { silentLog } from './log.ts';
import { type RigClock, rigClock } from './rig-clock.ts';
import type { Subject } from './subject.ts';
import { same } from './values.ts';
import { type Way, wayTo } from './way.ts';

export class Stage {
  readonly device: SimulatedDevice;
  readonly way: Way;
  /** The simulator's. */
  readonly clock: RigClock;
  readonly #subject: Subject;
  readonly #visitors: ReadonlyMap<unknown, unknown>;

  private constructor(
    made: { device: SimulatedDevice; way: Way; clock: RigClock },
    subject: Subject,
    visitors: ReadonlyMap<unknown, unknown>,
  ) {
    this.device = made.device;
    this.way = made.way;
    this.clock = made.clock;
    this.#subject = subject;
    this.#visitors = visitors;
  }

  static async open(mapper: Mapper<unknown, unknown>, subject: Subject): Promise<Stage> {
    const settings = await parse(mapper.settings, subject.settings, 'the settings');
    const visitors = new Map<unknown, unknown>();
    for (const visitor of [...subject.items.map((item) => item.visitor), subject.refused]) {
      if (visitor === undefined) continue;
      visitors.set(visitor, await parse(mapper.visitor, visitor, 'a visitor'));
    }
    const clock = rigClock(subject.realTime === true);
    const log: Log = silentLog();
    const properties = subject.items.map(({ visitor, property, reads }) => ({
      ...property,
      visitor: visitors.get(visitor),
      value: reads,
    }));
    const device = await subject.simulator.simulate({ settings, properties }, { clock, log });
    try {
      return new Stage({ device, way: await wayTo(device, subject), clock }, subject, visitors);
    } catch (error) {
      await device.close();
      throw error;
    }
  }

  /** The mapper's own form of a visitor of the subject. */
  visitor(visitor: unknown): unknown {
    return this.#visitors.get(visitor);
  }

  /** As before anything was tried. */
  async reset(): Promise<void> {
    const { way, device } = this;
    await way.meet('answers');
    await way.hurt({ kind: 'none' });
    for (const { property, reads } of this.#subject.items) {
      if (!same(device.get(property.name), reads)) device.set(property.name, reads);
    }
  }

  async close(): Promise<void> {
    try {
      await this.way.close();
    } finally {
      await this.device.close();
    }
  }
}

/** What a mapper's schema makes of a part of the subject. */
export async function parse(
  schema: Mapper<unknown, unknown>['settings'],
  input: unknown,
  what: string,
): Promise<unknown> {
  const result = await schema['~standard'].validate(input);
  if (result.issues === undefined) return result.value;
  const issues = result.issues.map((issue) => issue.message).join('; ');
  throw new Broken(`the mapper's schema refuses ${what} of the subject: ${issues}`);
}
