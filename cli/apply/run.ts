/** `limpet apply`: checks everything, then applies what is right, one by one. */
import type { Mapper } from '@limpet/dmi';
import { formatFaults, type Resource } from '@limpet/dmi/manifest';
import type { Api, Document, Target } from '../api.ts';
import { CliError, explain } from '../cli-error.ts';
import { withApi } from '../client.ts';
import { modelOf } from '../get/run.ts';
import { title } from '../names.ts';
import { type Output, processOutput } from '../output.ts';
import type { ApplyOptions } from '../verbs/apply.ts';
import { type Checked, checkSources, type FindMapper } from './check.ts';
import { difference } from './difference.ts';
import { readSources } from './files.ts';

export type Applied = 'created' | 'configured' | 'unchanged';

export async function runApply(options: ApplyOptions): Promise<number> {
  const sources = readSources(options.filename);
  const output = processOutput(options.json === true);
  return withApi(options, async (api) => {
    const checked = await checkSources(sources, options.namespace, {
      mapper: installedMappers(),
      model: async (namespace, name) =>
        modelOf(api, { metadata: { name: '', namespace }, spec: { model: name } }),
    });
    const { absent } = checked;
    let refused = checked.refused;
    tellFaults(checked, output);
    if (refused === 0 && checked.good.length === 0) throw nothingIn(options.filename);
    for (const text of absent) output.note(`limpet: ${text}`);
    let applied = 0;
    for (const { resource } of checked.good) {
      if (await applyOne(api, resource, { output, dryRun: options.dryRun === true })) applied += 1;
      else refused += 1;
    }
    if (refused > 0 && !output.json) {
      const others = outcome(applied, options.dryRun === true);
      output.note(`limpet: ${refused} refused, see above; ${others}.`);
    }
    return refused > 0 ? 1 : 0;
  });
}

function outcome(applied: number, dryRun: boolean): string {
  if (dryRun) return 'nothing was changed, for this was a dry run';
  return applied === 0 ? 'nothing was applied' : 'the others were applied';
}

/** A pipe that broke, or a file that was not saved, must not pass for success. */
function nothingIn(names: readonly string[]): CliError {
  const message = `${names.join(', ')}: no manifest in it; each begins with "apiVersion: limpet.dev/v1" and a "kind".`;
  return new CliError(1, 'NO_MANIFESTS', message);
}

/** Makes one resource so. */
export async function applyResource(
  api: Api,
  resource: Resource,
  dryRun = false,
): Promise<Applied> {
  const target = targetOf(resource);
  const present = await api.get(target).catch((error: unknown) => {
    if ((error as { reason?: unknown }).reason === 'NotFound') return undefined;
    throw error;
  });
  if (present === undefined) {
    if (!dryRun) await api.create(documentOf(resource));
    return 'created';
  }
  const patch = difference(present, resource);
  if (patch === undefined) return 'unchanged';
  if (!dryRun) await api.patch(target, patch);
  return 'configured';
}

async function applyOne(
  api: Api,
  resource: Resource,
  { output, dryRun }: { readonly output: Output; readonly dryRun: boolean },
): Promise<boolean> {
  const { kind } = resource;
  const { namespace, name } = resource.metadata;
  const place = kind === 'Node' ? { kind, name } : { kind, namespace, name };
  try {
    const result = await applyResource(api, resource, dryRun);
    if (output.json) output.printJson({ ...place, result, ...(dryRun && { dryRun }) });
    else output.print(`${title(kind, namespace, name)} ${result}${dryRun ? ' (dry run)' : ''}`);
    return true;
  } catch (error) {
    // A server that is not there fails all of them alike: no use in going on.
    if ((error as Error).name !== 'ApiError') throw error;
    const { code, message } = explain(error);
    if (output.json) output.printJson({ ...place, result: 'refused', error: { code, message } });
    else output.note(`${title(kind, namespace, name)} refused: ${message}`);
    return false;
  }
}

function tellFaults({ faults }: Checked, output: Output): void {
  if (faults.length === 0) return;
  if (!output.json) return output.note(formatFaults(faults));
  const message = `${faults.length} faults in the manifests: mend them and apply again`;
  output.note(JSON.stringify({ error: { code: 'MANIFEST_INVALID', message, faults } }));
}

/** Mappers by protocol, loaded once; undefined for those that are not installed beside this command. */
function installedMappers(): FindMapper {
  const loaded = new Map<string, Promise<Mapper<unknown, unknown> | undefined>>();
  return (protocol) => {
    const known = loaded.get(protocol) ?? load(protocol);
    loaded.set(protocol, known);
    return known;
  };
}

async function load(protocol: string): Promise<Mapper<unknown, unknown> | undefined> {
  // A protocol is an RFC 1123 label, so this names a package and no path.
  const name = `@limpet/mapper-${protocol}`;
  try {
    const module = (await import(name)) as { default: Mapper<unknown, unknown> };
    return module.default;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

function targetOf({ kind, metadata }: Resource): Target {
  const { name, namespace = 'default' } = metadata;
  return kind === 'Node' ? { kind, name } : { kind, namespace, name };
}

/** As a user may send it: without what only servers set. */
function documentOf({ apiVersion, kind, metadata, spec }: Resource): Document {
  const { name, namespace, labels, annotations } = metadata;
  const own = { name, namespace, labels, annotations };
  return JSON.parse(JSON.stringify({ apiVersion, kind, metadata: own, spec })) as Document;
}
