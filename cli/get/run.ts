/** `limpet get`. */
import process from 'node:process';
import type { DeviceModel, Resource } from '@limpet/dmi/manifest';
import type { Api } from '../api.ts';
import { usage } from '../cli-error.ts';
import { withApi } from '../client.ts';
import type { Query } from '../follow.ts';
import { parseKind, parseName } from '../names.ts';
import { type Output, processOutput } from '../output.ts';
import type { GetOptions } from '../verbs/get.ts';
import { caption, documentOf, type Form, printTable, tableOf } from './show.ts';

export async function runGet(
  words: { readonly kind: string; readonly name: string | undefined },
  options: GetOptions,
): Promise<number> {
  if (/^mappers?$/i.test(words.kind)) {
    const { runGetMappers } = await import('./mappers.ts');
    return runGetMappers(words.name, options);
  }
  const asked = question(words, options);
  return withApi(options, async (api) => {
    const output = processOutput(asked.form === 'json');
    if (options.watch === true) {
      const { watchAndShow } = await import('./watch.ts');
      return watchAndShow(api, asked, output);
    }
    const resources = await ask(api, asked);
    await show(api, asked, { resources, output });
    return 0;
  });
}

export interface Question {
  readonly query: Query;
  readonly name: string | undefined;
  readonly form: GetOptions['output'];
  readonly namespaces: boolean;
}

/** What the command line asks for. */
export function question(
  { kind: word, name: given }: { readonly kind: string; readonly name: string | undefined },
  options: GetOptions,
): Question {
  const kind = parseKind(word);
  const everywhere = options.allNamespaces === true;
  if (given !== undefined && (everywhere || options.selector !== undefined)) {
    throw usage('a NAME cannot go with -A or -l: it is one resource already.');
  }
  const { namespace, name } =
    given === undefined
      ? { namespace: options.namespace, name: undefined }
      : parseName(given, options.namespace);
  return {
    query: {
      kind,
      ...(kind !== 'Node' && !everywhere && { namespace }),
      ...(options.selector !== undefined && { labelSelector: options.selector }),
      ...(name !== undefined && { fieldSelector: `metadata.name=${name}` }),
    },
    name,
    form: options.json === true ? 'json' : options.output,
    namespaces: everywhere,
  };
}

async function ask(api: Api, { query, name }: Question): Promise<readonly Resource[]> {
  const { kind, ...select } = query;
  if (name === undefined) return (await api.list(kind, select)).items;
  const space = query.namespace === undefined ? {} : { namespace: query.namespace };
  return [await api.get({ kind, ...space, name })];
}

async function show(
  api: Api,
  asked: Question,
  { resources, output }: { readonly resources: readonly Resource[]; readonly output: Output },
): Promise<void> {
  const single = asked.name !== undefined;
  if (asked.form === 'json') {
    output.print(JSON.stringify(documentOf(resources, single), null, process.stdout.isTTY ? 2 : 0));
  } else if (asked.form === 'yaml') {
    const { stringify } = await import('yaml');
    output.print(stringify(documentOf(resources, single)).trimEnd());
  } else if (resources.length === 0) {
    output.note(nothing(asked));
  } else {
    const form = await formOf(api, asked, resources[0]);
    for (const line of caption(resources, form)) output.print(line);
    printTable(output, tableOf(resources, form, Date.now()));
  }
}

/** How to lay out; fetches the model of a device whose twin is shown, for its units and order. */
export async function formOf(
  api: Api,
  asked: Question,
  first: Resource | undefined,
): Promise<Form> {
  const twin = asked.name !== undefined && asked.query.kind === 'Device';
  return {
    kind: asked.query.kind,
    twin,
    wide: asked.form === 'wide',
    namespaces: asked.namespaces,
    model: twin && first?.kind === 'Device' ? await modelOf(api, first) : undefined,
  };
}

/** The model of a device; undefined when nobody declared it, which the device's own state tells. */
export async function modelOf(
  api: Api,
  device: { readonly metadata: Resource['metadata']; readonly spec: { readonly model: string } },
): Promise<DeviceModel | undefined> {
  const namespace = device.metadata.namespace ?? 'default';
  try {
    const model = await api.get({ kind: 'DeviceModel', namespace, name: device.spec.model });
    return model.kind === 'DeviceModel' ? model : undefined;
  } catch (error) {
    if ((error as { reason?: unknown }).reason === 'NotFound') return undefined;
    throw error;
  }
}

function nothing({ query }: Question): string {
  const where =
    query.namespace === undefined ? '' : ` in namespace ${query.namespace} (-A: in all)`;
  const words = { Device: 'devices', DeviceModel: 'models', Node: 'nodes', Rollout: 'rollouts' };
  const word = words[query.kind];
  return `No ${word}${where}.`;
}
