/** `limpet rollout run`. */
import type { Rollout, RolloutSpec } from '@limpet/dmi/manifest';
import { nameForRollout } from '../../cloud/protocol/api/rollout-name.ts';
import type { Api } from '../api.ts';
import { usage } from '../cli-error.ts';
import { withApi } from '../client.ts';
import { processOutput } from '../output.ts';
import { marked } from '../query/text.ts';
import type { RolloutRunOptions } from '../verbs/rollout.ts';
import { showBegun } from './begun.ts';
import { waitFor } from './wait.ts';

export async function runRollout(query: string, options: RolloutRunOptions): Promise<number> {
  const output = processOutput(options.json === true);
  const { namespace, name = nameForRollout(query) } = options;
  const doc: Rollout = {
    apiVersion: 'limpet.dev/v1',
    kind: 'Rollout',
    metadata: { name, namespace },
    spec: specOf(query, options),
  };
  return withApi(options, async (api) => {
    const dryRun = options.dryRun === true;
    const created = await create(api, doc, dryRun);
    if (options.wait === true && !dryRun) return waitFor(api, { namespace, name }, output);
    showBegun(created, output);
    return 0;
  });
}

/** A fault of the query is marked in its place. */
async function create(api: Api, doc: Rollout, dryRun: boolean): Promise<Rollout> {
  try {
    return (await api.create(doc, undefined, { dryRun })) as Rollout;
  } catch (error) {
    throw marked(error, doc.spec.query ?? '');
  }
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
