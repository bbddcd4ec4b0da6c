/** Everything that can be said of manifests before a server sees them: all faults of all files at once. */
import type { Mapper } from '@limpet/dmi';
import {
  checkMethods,
  checkOrder,
  checkSettings,
  checkVisitors,
  type Device,
  type DeviceModel,
  type Fault,
  type Located,
  locateAll,
  parseManifests,
} from '@limpet/dmi/manifest';
import type { Source } from './files.ts';

export interface Checked {
  /** Without faults, models first, each with its namespace. */
  readonly good: readonly Located[];
  readonly faults: readonly Fault[];
  /** How many resources, or files that are no YAML, have faults. */
  readonly refused: number;
  /** What is no fault, since it may come later, and more likely is one: devices of models that are nowhere. */
  readonly absent: readonly string[];
}

type AnyMapper = Mapper<unknown, unknown>;
/** Undefined when no such mapper is installed here: then only the node that has it can judge. */
export type FindMapper = (protocol: string) => Promise<AnyMapper | undefined>;
/** A model that the manifests do not bring. */
export type FindModel = (namespace: string, name: string) => Promise<DeviceModel | undefined>;

export async function checkSources(
  sources: readonly Source[],
  namespace: string,
  find: { readonly mapper: FindMapper; readonly model: FindModel },
): Promise<Checked> {
  const parsed = sources.map(({ text, file }) => parseManifests(text, file));
  const faults = parsed.flatMap((each) => each.faults);
  let refused = countDocuments(faults);
  const all = parsed
    .flatMap((each) => each.resources)
    .map((each) => withNamespace(each, namespace));
  const models = new Map(all.flatMap(({ resource }) => modelEntry(resource)));
  const model: FindModel = async (space, name) =>
    models.get(`${space}/${name}`) ?? find.model(space, name);
  const good: Located[] = [];
  const absent: string[] = [];
  for (const located of all) {
    const found = await faultsOfParts(located, { mapper: find.mapper, model });
    faults.push(...locateAll(found, located));
    if (found.length === 0) good.push(located);
    else refused += 1;
    const missing = await modelless(located, model);
    if (missing !== undefined) absent.push(missing);
  }
  const rank = { DeviceModel: 0, Node: 1, Device: 2, Rollout: 3 };
  good.sort((a, b) => rank[a.resource.kind] - rank[b.resource.kind]);
  return { good, faults, refused, absent };
}

async function modelless({ resource }: Located, model: FindModel): Promise<string | undefined> {
  if (resource.kind !== 'Device') return undefined;
  const { metadata, spec } = resource;
  const namespace = metadata.namespace ?? 'default';
  if ((await model(namespace, spec.model)) !== undefined) return undefined;
  return `there is no model "${spec.model}" in namespace "${namespace}" yet: device "${metadata.name}" does nothing until it is applied too.`;
}

async function faultsOfParts(
  { resource }: Located,
  find: { readonly mapper: FindMapper; readonly model: FindModel },
): Promise<readonly Fault[]> {
  switch (resource.kind) {
    case 'Node':
    case 'Rollout':
      return [];
    case 'DeviceModel': {
      const mapper = await find.mapper(resource.spec.protocol);
      if (mapper === undefined) return [];
      const parts = [await checkVisitors(mapper, resource), await checkMethods(mapper, resource)];
      return parts.flatMap(({ faults }) => faults);
    }
    case 'Device': {
      const model = await find.model(resource.metadata.namespace ?? 'default', resource.spec.model);
      if (model === undefined) return [];
      const mapper = await find.mapper(model.spec.protocol);
      const settings =
        mapper === undefined ? { ok: true as const } : await checkSettings(mapper, resource);
      return [...(settings.ok ? [] : settings.faults), ...orderFaults(resource, model)];
    }
  }
}

function orderFaults({ spec }: Device, model: DeviceModel): Fault[] {
  return Object.entries(spec.desired ?? {}).flatMap(([property, value]) => {
    const checked = checkOrder(model, property, value);
    if (checked.ok) return [];
    return [{ path: `spec.desired.${property}`, code: checked.code, message: checked.message }];
  });
}

function withNamespace(located: Located, namespace: string): Located {
  const { resource } = located;
  if (resource.kind === 'Node' || resource.metadata.namespace !== undefined) return located;
  const metadata = { ...resource.metadata, namespace };
  // The spread keeps the kind and its spec together, which the type checker cannot see.
  return { ...located, resource: { ...resource, metadata } as Located['resource'] };
}

function modelEntry(resource: Located['resource']): [string, DeviceModel][] {
  if (resource.kind !== 'DeviceModel') return [];
  return [[`${resource.metadata.namespace ?? 'default'}/${resource.metadata.name}`, resource]];
}

/** Documents with faults; several faults of one file cannot be told apart by document, so they count once. */
function countDocuments(faults: readonly Fault[]): number {
  return new Set(faults.map(({ file }) => file)).size;
}
