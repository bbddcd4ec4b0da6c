/** `limpet rollout pause`, `resume` and `revert`. */
import type { Resource, RolloutPhase, RolloutSpec } from '@limpet/dmi/manifest';
import type { Document } from '../api.ts';
import { CliError } from '../cli-error.ts';
import { withApi } from '../client.ts';
import { parseName, title } from '../names.ts';
import { processOutput } from '../output.ts';
import type { RolloutChangeOptions } from '../verbs/rollout.ts';
import { waitFor } from './wait.ts';

const CHANGES = {
  pause: [{ paused: true }, 'pauses'],
  resume: [{ paused: false }, 'goes on'],
  revert: [{ revert: true }, 'is undone'],
} as const satisfies Record<string, readonly [RolloutSpec, string]>;

/** What was begun is over, or being undone. */
const OVER: readonly RolloutPhase[] = ['Done', 'Failed', 'Reverting', 'Reverted'];

export async function runChange(
  verb: keyof typeof CHANGES,
  word: string,
  options: RolloutChangeOptions,
): Promise<number> {
  const place = parseName(word, options.namespace);
  const output = processOutput(options.json === true);
  const [spec, words] = CHANGES[verb];
  return withApi(options, async (api) => {
    const patch: Document = { spec };
    if (verb !== 'revert') refuseOver(await api.get({ kind: 'Rollout', ...place }), verb);
    const patched = await api.patch({ kind: 'Rollout', ...place }, patch);
    if (options.wait === true) return waitFor(api, place, output);
    if (output.json) output.printJson(patched);
    else output.print(`rollout ${place.namespace}/${place.name} ${words}`);
    return 0;
  });
}

/** The cloud would take it, and nothing would come of it. */
function refuseOver(rollout: Resource, verb: 'pause' | 'resume'): void {
  const phase = rollout.kind === 'Rollout' ? rollout.status?.phase : undefined;
  if (phase === undefined || !OVER.includes(phase)) return;
  const { namespace, name } = rollout.metadata;
  const message = `${title('Rollout', namespace, name)} is ${phase}: there is nothing to ${verb}.`;
  throw new CliError(1, 'ROLLOUT_OVER', message);
}
