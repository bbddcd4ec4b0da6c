/** Which suggested properties and methods are right by themselves and are taken by the mapper that suggests them. */
import type { Mapper } from '@limpet/dmi';
import {
  API_VERSION,
  checkMethods,
  checkResource,
  checkVisitors,
  type DeviceModel,
  type Fault,
  type Method,
  type Property,
} from '@limpet/dmi/manifest';

interface Item {
  readonly item: Property | Method;
}

interface Sound<Each extends Item> {
  readonly kept: readonly Each[];
  /** Of those that were left out, each with its name. */
  readonly faults: readonly string[];
}

/** @throws Unreachable when the mapper cannot be asked */
export async function soundProperties<Each extends { readonly item: Property }>(
  mapper: Mapper<unknown, unknown>,
  all: readonly Each[],
): Promise<Sound<Each>> {
  return sound(
    all,
    (each) => modelWith([each.item], []),
    async (good) =>
      checkVisitors(
        mapper,
        modelWith(
          good.map(({ item }) => item),
          [],
        ),
      ),
  );
}

/** @throws Unreachable when the mapper cannot be asked */
export async function soundMethods<Each extends { readonly item: Method }>(
  mapper: Mapper<unknown, unknown>,
  all: readonly Each[],
): Promise<Sound<Each>> {
  return sound(
    all,
    (each) => modelWith([], [each.item]),
    async (good) =>
      checkMethods(
        mapper,
        modelWith(
          [],
          good.map(({ item }) => item),
        ),
      ),
  );
}

async function sound<Each extends Item>(
  all: readonly Each[],
  alone: (each: Each) => DeviceModel,
  ask: (
    good: readonly Each[],
  ) => Promise<{ visitors: ReadonlyMap<string, unknown>; faults: readonly Fault[] }>,
): Promise<Sound<Each>> {
  const told: string[] = [];
  const tell = (name: string, { message }: Fault): void => {
    told.push(`"${name}" is left out: ${message}`);
  };
  const good = all.filter((each) => {
    const checked = checkResource(alone(each));
    if (!checked.ok) for (const fault of checked.faults) tell(each.item.name, fault);
    return checked.ok;
  });
  const { visitors, faults } = await ask(good);
  for (const fault of faults) {
    const [, at] = /\[(\d+)\]/.exec(fault.path) ?? [];
    tell(at === undefined ? 'methods' : (good[Number(at)]?.item.name ?? '?'), fault);
  }
  return { kept: good.filter(({ item }) => visitors.has(item.name)), faults: told };
}

function modelWith(properties: readonly Property[], methods: readonly Method[]): DeviceModel {
  return {
    apiVersion: API_VERSION,
    kind: 'DeviceModel',
    metadata: { name: 'm' },
    spec: { protocol: 'p', properties, methods },
  };
}
