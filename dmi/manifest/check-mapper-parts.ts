/** The parts of a manifest that only its mapper can judge: settings and visitors. */
import { Unreachable } from '../errors.ts';
import type { Argument, Mapper, MaybeLater } from '../mapper.ts';
import type { Schema, SchemaResult } from '../standard-schema.ts';
import { type Fault, faultsOfSchema, formatPath, type Path } from './fault.ts';
import type { Device, DeviceModel, MethodArgument } from './resource.ts';

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
  return checkEach(mapper, 'properties', model.spec.properties, (visitor, property) => {
    const { name, type, access = 'read' } = property;
    return mapper.fits?.(visitor, { name, type, access });
  });
}

/**
 * The same for methods, at `spec.methods[0].visitor…`.
 * @throws Unreachable when the mapper, in a process of its own, cannot be asked
 */
export async function checkMethods<Visitor>(
  mapper: Pick<Mapper<unknown, Visitor>, 'visitor' | 'serves'>,
  model: DeviceModel,
): Promise<{ readonly visitors: ReadonlyMap<string, Visitor>; readonly faults: readonly Fault[] }> {
  const { protocol, methods = [] } = model.spec;
  if (methods.length > 0 && mapper.serves === undefined) {
    const path = formatPath(['spec', 'methods']);
    const message = `"methods": the mapper for "${protocol}" has no methods: remove them`;
    return { visitors: new Map(), faults: [{ path, code: 'VISITOR_MISFIT', message }] };
  }
  return checkEach(mapper, 'methods', methods, (visitor, { name, input = [], output = [] }) =>
    mapper.serves?.(visitor, { name, input: input.map(shapeOf), output: output.map(shapeOf) }),
  );
}

function shapeOf({ name, type }: MethodArgument): Argument {
  return { name, type };
}

const AT_A_TIME = 250;

/** What has a visitor. */
interface Visited {
  readonly name: string;
  readonly visitor: unknown;
}

/** Why this visitor cannot serve this. */
type Misfit<Visitor, Item> = (visitor: Visitor, item: Item) => MaybeLater<string | undefined>;

async function checkEach<Item extends Visited, Visitor>(
  { visitor: schema }: Pick<Mapper<unknown, Visitor>, 'visitor'>,
  list: 'properties' | 'methods',
  items: readonly Item[],
  misfit: Misfit<Visitor, Item>,
): Promise<{ readonly visitors: ReadonlyMap<string, Visitor>; readonly faults: readonly Fault[] }> {
  const visitors = new Map<string, Visitor>();
  const faults: Fault[] = [];
  // Many at a time, so that a mapper in a process of its own answers them in one go.
  for (let from = 0; from < items.length; from += AT_A_TIME) {
    const some = items.slice(from, from + AT_A_TIME);
    const results = await Promise.all(
      some.map((item, at) => {
        const path = ['spec', list, from + at, 'visitor'];
        return checkVisitor(schema, item, misfit, path);
      }),
    );
    for (const [at, result] of results.entries()) {
      if (result.ok) visitors.set((some[at] as Item).name, result.value);
      else faults.push(...result.faults);
    }
  }
  return { visitors, faults };
}

type Checked<Output> =
  | { readonly ok: true; readonly value: Output }
  | { readonly ok: false; readonly faults: readonly Fault[] };

async function checkVisitor<Item extends Visited, Visitor>(
  schema: Schema<Visitor>,
  item: Item,
  misfit: Misfit<Visitor, Item>,
  path: Path,
): Promise<Checked<Visitor>> {
  const result = await check(schema, item.visitor, path);
  if (!result.ok) return result;
  try {
    const why = await misfit(result.value, item);
    if (why === undefined) return result;
    const message = `"${item.name}": ${why}`;
    return { ok: false, faults: [{ path: formatPath(path), code: 'VISITOR_MISFIT', message }] };
  } catch (error) {
    if (error instanceof Unreachable) throw error;
    return { ok: false, faults: [mapperBug(path, error)] };
  }
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

/** A schema must answer with issues. One that throws is a fault of the mapper, shown where it struck. */
function mapperBug(path: Path, error: unknown): Fault {
  const reason = error instanceof Error ? error.name : typeof error;
  const message = `the mapper's own check failed (${reason}): report it to the mapper's author`;
  return { path: formatPath(path), code: 'MAPPER_BUG', message };
}
