/** One run's simulated device, and the way to it: made when first needed, and the same for every promise. */
import type { Log, Mapper } from '../mapper.ts';
import { Refused } from '../errors.ts';
import type { SimulatedDevice, SimulatedMethod, SimulatedProperty } from '../simulator.ts';
import { Broken } from './broken.ts';
import { silentLog } from './log.ts';
import { type RigClock, rigClock } from './rig-clock.ts';
import type { Subject, SubjectItem } from './subject.ts';
import { same } from './values.ts';
import { type Way, wayTo } from './way.ts';

export class Stage {
  readonly device: SimulatedDevice;
  readonly way: Way;
  /** The simulator's. */
  readonly clock: RigClock;
  /** Whether the device was opened and read once, so that what a mapper loads first is loaded. */
  warm = false;
  readonly #subject: Subject;
  readonly #visitors: ReadonlyMap<unknown, unknown>;
  readonly #calls: ReadonlyMap<string, number>;

  private constructor(
    made: { device: SimulatedDevice; way: Way; clock: RigClock; calls: Map<string, number> },
    subject: Subject,
    visitors: ReadonlyMap<unknown, unknown>,
  ) {
    this.device = made.device;
    this.way = made.way;
    this.clock = made.clock;
    this.#calls = made.calls;
    this.#subject = subject;
    this.#visitors = visitors;
  }

  static async open(mapper: Mapper<unknown, unknown>, subject: Subject): Promise<Stage> {
    const settings = await parse(mapper.settings, subject.settings, 'the settings');
    const visitors = await parsedVisitors(mapper, subject);
    const clock = rigClock(subject.realTime === true);
    const log: Log = silentLog();
    const properties = subject.items.map(({ visitor, property, reads }) => ({
      ...property,
      visitor: visitors.get(visitor),
      value: reads,
    }));
    const calls = new Map<string, number>();
    const methods = simulatedMethods(subject, visitors, calls);
    const made = { settings, properties, ...(methods.length > 0 && { methods }) };
    const device = await subject.simulator.simulate(made, { clock, log });
    try {
      const parts = { device, way: await wayTo(device, subject), clock, calls };
      return new Stage(parts, subject, visitors);
    } catch (error) {
      await device.close();
      throw error;
    }
  }

  /** The mapper's own form of a visitor of the subject. */
  visitor(visitor: unknown): unknown {
    return this.#visitors.get(visitor);
  }

  /** Another device, by the same simulator and clock. */
  async another(
    mapper: Mapper<unknown, unknown>,
    settings: unknown,
    items: readonly SubjectItem[],
  ): Promise<SimulatedDevice> {
    const properties: SimulatedProperty<unknown>[] = [];
    for (const { property, reads, visitor } of items) {
      const parsed = await parse(mapper.visitor, visitor, 'a visitor');
      properties.push({ ...property, visitor: parsed, value: reads });
    }
    const { simulator } = this.#subject;
    return simulator.simulate({ settings, properties }, { clock: this.clock, log: silentLog() });
  }

  /** How often the device was told to run this method. */
  calls(method: string): number {
    return this.#calls.get(method) ?? 0;
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

async function parsedVisitors(
  mapper: Mapper<unknown, unknown>,
  { items, methods = [], refused, refusedWrite }: Subject,
): Promise<Map<unknown, unknown>> {
  const visitors = new Map<unknown, unknown>();
  const asked = [...items, ...methods, { visitor: refused }, { visitor: refusedWrite?.visitor }];
  for (const { visitor } of asked) {
    if (visitor === undefined) continue;
    visitors.set(visitor, await parse(mapper.visitor, visitor, 'a visitor'));
  }
  return visitors;
}

function simulatedMethods(
  { methods = [] }: Subject,
  visitors: ReadonlyMap<unknown, unknown>,
  calls: Map<string, number>,
): SimulatedMethod<unknown>[] {
  return methods.map(({ method, visitor, output, refused }) => ({
    ...method,
    visitor: visitors.get(visitor),
    run(input) {
      calls.set(method.name, (calls.get(method.name) ?? 0) + 1);
      const no = refused?.every((each, index) => same(each, input[index] ?? null)) ?? false;
      if (no) throw new Refused('SUBJECT_REFUSED', 'the device does not take this input');
      return output;
    },
  }));
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
