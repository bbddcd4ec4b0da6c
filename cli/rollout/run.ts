/** `limpet rollout run`. */
import { randomInt } from 'node:crypto';
import type { Rollout, RolloutPreview, RolloutSpec } from '@limpet/dmi/manifest';
import { usage } from '../cli-error.ts';
import { withApi } from '../client.ts';
import { type Output, processOutput } from '../output.ts';
import type { RolloutRunOptions } from '../verbs/rollout.ts';
import { waitFor } from './wait.ts';

export async function runRollout(query: string, options: RolloutRunOptions): Promise<number> {
  const output = processOutput(options.json === true);
  const { namespace, name = nameFor(query) } = options;
  const doc: Rollout = {
    apiVersion: 'limpet.dev/v1',
    kind: 'Rollout',
    metadata: { name, namespace },
    spec: specOf(query, options),
  };
  return withApi(options, async (api) => {
    const dryRun = options.dryRun === true;
    const created = (await api.create(doc, undefined, { dryRun })) as Rollout;
    if (dryRun) return showPreview(created, output);
    if (options.wait === true) return waitFor(api, { namespace, name }, output);
    if (output.json) output.printJson(created);
    else {
      output.print(`rollout ${namespace}/${name} begins`);
      output.note(`How far it is: limpet rollout show ${shownName(namespace, name)}`);
    }
    return 0;
  });
}

/** As the other verbs take it. */
function shownName(namespace: string, name: string): string {
  return namespace === 'default' ? name : `${namespace}/${name}`;
}

function specOf(query: string, options: RolloutRunOptions): RolloutSpec {
  const { canary, batch, stopAfter, timeout, expires, withdraw } = options;
  return {
    query,
    ...(canary !== undefined && {
      canary: /^\d+%$/.test(canary) ? canary : whole('--canary', canary),
    }),
    ...(batch !== undefined && { batch: whole('--batch', batch) }),
    ...(stopAfter !== undefined && { maxFailures: whole('--stop-after', stopAfter) }),
    ...(timeout !== undefined && { timeout }),
    ...(expires !== undefined && { expires }),
    ...(withdraw === true && { withdraw }),
  };
}

function whole(option: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw usage(`${option} must be a whole number, not "${text}".`);
}

/** The first property that it sets, and letters that nobody mistakes for others. */
function nameFor(query: string): string {
  const property = /\bdesired\s*\.\s*"?([A-Za-z0-9_-]+)/i.exec(query)?.[1] ?? 'rollout';
  const word = property
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  const letters = 'bcdfghjkmnpqrstvwxz23456789';
  const some = Array.from({ length: 5 }, () => letters[randomInt(letters.length)]).join('');
  return `${word.slice(0, 50) || 'rollout'}-${some}`;
}

function showPreview(rollout: Rollout, output: Output): number {
  const preview = rollout.status?.preview;
  if (output.json) output.printJson(preview ?? {});
  else for (const line of previewLines(preview)) output.print(line);
  return 0;
}

function previewLines(preview: RolloutPreview | undefined): readonly string[] {
  if (preview === undefined) return ['It would begin.'];
  const { devices, examined, sample, troubles } = preview;
  const count = devices === 1 ? '1 device' : `${devices} devices`;
  const more = devices > sample.length ? ` and ${devices - sample.length} more` : '';
  return [
    devices === 0
      ? 'It would be for no device.'
      : `It would be for ${count}: ${sample.join(', ')}${more}.`,
    ...(examined < devices ? [`The first ${examined} were looked at:`] : []),
    ...troubles.map((trouble) => {
      const named = trouble.devices.join(', ');
      const others = trouble.count > trouble.devices.length ? ', …' : '';
      return `  ${trouble.count} × ${trouble.code}: ${trouble.message} (${named}${others})`;
    }),
    'Nothing was done.',
  ];
}
