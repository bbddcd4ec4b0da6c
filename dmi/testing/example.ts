/** A mapper's example, a model and a device as YAML, as something to simulate and to try: values come from types and limits. */
import { formatFaults } from '../manifest/fault.ts';
import { parseManifests } from '../manifest/parse.ts';
import type { Device, DeviceModel, Property } from '../manifest/resource.ts';
import { checkSettings, checkVisitors } from '../manifest/check-mapper-parts.ts';
import type { Mapper } from '../mapper.ts';
import type { SimulatedDevice, SimulatedProperty, Simulator } from '../simulator.ts';
import type { Json, Value } from '../value.ts';
import { fakeClock } from './clock.ts';
import { silentLog } from './log.ts';
import type { Subject, SubjectItem } from './subject.ts';

/** What an example holds once its mapper has checked it. */
export interface Example<Settings, Visitor> {
  readonly model: DeviceModel;
  readonly device: Device;
  readonly settings: Settings;
  /** With values to begin with. */
  readonly properties: readonly SimulatedProperty<Visitor>[];
}

/**
 * The first device of this mapper's protocol, and its model, out of a YAML text; `settings` are laid over the device's.
 * @throws Error with every fault, and what to do about it
 */
export async function readExample<Settings, Visitor>(
  text: string,
  mapper: Mapper<Settings, Visitor>,
  {
    file = 'example.yaml',
    settings = {},
  }: { readonly file?: string; readonly settings?: { readonly [key: string]: Json } } = {},
): Promise<Example<Settings, Visitor>> {
  const { resources, faults } = parseManifests(text, file);
  if (faults.length > 0) throw new Error(formatFaults(faults));
  const all = resources.map(({ resource }) => resource);
  const models = all.filter((each): each is DeviceModel => each.kind === 'DeviceModel');
  const model = models.find(({ spec }) => spec.protocol === mapper.protocol);
  if (model === undefined) {
    throw new Error(`${file} holds no DeviceModel with protocol: ${mapper.protocol}`);
  }
  const devices = all.filter((each): each is Device => each.kind === 'Device');
  const found = devices.find(({ spec }) => spec.model === model.metadata.name);
  if (found === undefined) {
    throw new Error(`${file} holds no Device with model: ${model.metadata.name}`);
  }
  const device = {
    ...found,
    spec: { ...found.spec, settings: { ...found.spec.settings, ...settings } },
  };
  const checked = await checkSettings(mapper, device);
  const { visitors, faults: wrong } = await checkVisitors(mapper, model);
  const more = [...(checked.ok ? [] : checked.faults), ...wrong];
  if (!checked.ok || more.length > 0) {
    throw new Error(formatFaults(more.map((each) => ({ file, ...each }))));
  }
  const properties = model.spec.properties.map((property) => simulated(property, visitors));
  return { model, device, settings: checked.settings, properties };
}

/**
 * What {@link checkMapper} tries on the example's device: `checkMapper(mapper, await exampleSubject(…))`.
 * @throws as {@link readExample}
 */
export async function exampleSubject<Settings, Visitor>(
  text: string,
  mapper: Mapper<Settings, Visitor>,
  simulator: Simulator<Settings, Visitor>,
): Promise<Subject> {
  const example = await readExample(text, mapper);
  const device = await pretend(example, simulator);
  const items = example.properties.map((property, index) => {
    const { visitor } = example.model.spec.properties[index] as Property;
    const { name, type, access } = property;
    // As the device holds it: a register may have rounded it.
    const reads = device.get(name);
    const turns = others(example.model, name);
    const writes = access === 'read' ? {} : { writes: turns };
    return { visitor, property: { name, type, access }, reads, turns, ...writes };
  });
  await device.close();
  const [first, ...more] = items;
  if (first === undefined) throw new Error('the model of the example has no property: add one');
  const list: [SubjectItem, ...SubjectItem[]] = [first, ...more];
  const { settings } = example.device.spec;
  return { simulator: simulator as Simulator<unknown, unknown>, settings, items: list };
}

async function pretend<Settings, Visitor>(
  { settings, properties }: Example<Settings, Visitor>,
  simulator: Simulator<Settings, Visitor>,
): Promise<SimulatedDevice> {
  return simulator.simulate({ settings, properties }, { clock: fakeClock(), log: silentLog() });
}

function simulated<Visitor>(
  property: Property,
  visitors: ReadonlyMap<string, Visitor>,
): SimulatedProperty<Visitor> {
  const { name, type, access = 'read' } = property;
  const visitor = visitors.get(name) as Visitor;
  return { name, type, access, visitor, value: sampleValues(property)[0] };
}

function others({ spec }: DeviceModel, name: string): readonly Value[] {
  const property = spec.properties.find((each) => each.name === name);
  return property === undefined ? [] : sampleValues(property).slice(1);
}

/** Three values that this property may hold; where that is possible whole ones, which every register can hold. */
export function sampleValues(property: Property): readonly [Value, Value, Value] {
  switch (property.type) {
    case 'bool':
      return [true, false, true];
    case 'string':
      return ['hello', 'north', 'south'];
    case 'bytes':
      return [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6), Uint8Array.of(0, 255, 7)];
    case 'json':
      return [{ on: true }, { on: false }, [1, 2]];
    case 'int':
    case 'float':
      return numbers(property);
  }
}

function numbers({ minimum, maximum, type }: Property): [number, number, number] {
  const low = minimum ?? (maximum === undefined ? 0 : maximum - 40);
  const high = maximum ?? low + 40;
  const whole = (value: number): number => {
    const rounded = Math.round(value);
    return type === 'int' || (rounded >= low && rounded <= high) ? rounded : value;
  };
  return [0.5, 0.25, 0.75].map((part) => whole(low + (high - low) * part)) as [
    number,
    number,
    number,
  ];
}
