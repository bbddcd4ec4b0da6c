/** The parts of a manifest that only its mapper can judge: settings and visitors. */
import { Unreachable } from '../errors.ts';
import type { Mapper } from '../mapper.ts';
import type { Schema, SchemaResult } from '../standard-schema.ts';
import { type Fault, faultsOfSchema, formatPath, type Path } from './fault.ts';
import type { Device, DeviceModel, Property } from './resource.ts';

/**
 * The device's settings as the mapper's schema gives them, or the faults, at `spec.settings…`.
 * @throws Unreachable when the mapper, in a process of its own, cannot be asked
 */
export async function checkSettings<Settings>(
  mapper: Pick<Mapper<Settings, unknown>, 'settings'>,
  device: Device,
): Promise<
  | { readonly ok: true; readonly settings: Settings }
  | { readonly ok: false; readonly faults: readonly Fault[] }
> {
  const result = await check(mapper.settings, device.spec.settings, ['spec', 'settings']);
  return result.ok ? { ok: true, settings: result.value } : result;
}

/**
 * The visitors that are right, by property name, and the faults of the others, at
 * `spec.properties[2].visitor…`: a wrong visitor does not stop its neighbours.
 * @throws Unreachable when the mapper, in a process of its own, cannot be asked
 */
export async function checkVisitors<Visitor>(
  mapper: Pick<Mapper<unknown, Visitor>, 'visitor' | 'fits'>,
  model: DeviceModel,
): Promise<{ readonly visitors: ReadonlyMap<string, Visitor>; readonly faults: readonly Fault[] }> {
  const visitors = new Map<string, Visitor>();
  const faults: Fault[] = [];
  const { properties } = model.spec;
  // Many at a time, so that a mapper in a process of its own answers them in one go.
  for (let from = 0; from < properties.length; from += AT_A_TIME) {
    const some = properties.slice(from, from + AT_A_TIME);
    const results = await Promise.all(
      some.map((property, at) => checkVisitor(mapper, property, from + at)),
    );
    for (const [at, result] of results.entries()) {
      if (result.ok) visitors.set((some[at] as Property).name, result.value);
      else faults.push(...result.faults);
    }
  }
  return { visitors, faults };
}

const AT_A_TIME = 250;

type Checked<Output> =
  | { readonly ok: true; readonly value: Output }
  | { readonly ok: false; readonly faults: readonly Fault[] };

async function checkVisitor<Visitor>(
  mapper: Pick<Mapper<unknown, Visitor>, 'visitor' | 'fits'>,
  property: Property,
  index: number,
): Promise<Checked<Visitor>> {
  const path = ['spec', 'properties', index, 'visitor'];
  const result = await check(mapper.visitor, property.visitor, path);
  if (!result.ok) return result;
  const misfit = await fitFault(mapper, result.value, property, path);
  return misfit === undefined ? result : { ok: false, faults: [misfit] };
}

async function check<Output>(
  schema: Schema<Output>,
  value: unknown,
  path: Path,
): Promise<Checked<Output>> {
  let result: SchemaResult<Output>;
  try {
    result = await schema['~standard'].validate(value);
  } catch (error) {
    if (error instanceof Unreachable) throw error;
    return { ok: false, faults: [mapperBug(path, error)] };
  }
  if (result.issues === undefined) return { ok: true, value: result.value };
  return { ok: false, faults: faultsOfSchema(result.issues, path, value) };
}

async function fitFault<Visitor>(
  mapper: Pick<Mapper<unknown, Visitor>, 'fits'>,
  visitor: Visitor,
  property: Property,
  path: Path,
): Promise<Fault | undefined> {
  const { name, type, access = 'read' } = property;
  try {
    const why = await mapper.fits?.(visitor, { name, type, access });
    if (why === undefined) return undefined;
    return { path: formatPath(path), code: 'VISITOR_MISFIT', message: `"${name}": ${why}` };
  } catch (error) {
    if (error instanceof Unreachable) throw error;
    return mapperBug(path, error);
  }
}

/** A schema must answer with issues. One that throws is a fault of the mapper, shown where it struck. */
function mapperBug(path: Path, error: unknown): Fault {
  const reason = error instanceof Error ? error.name : typeof error;
  const message = `the mapper's own check failed (${reason}): report it to the mapper's author`;
  return { path: formatPath(path), code: 'MAPPER_BUG', message };
}
