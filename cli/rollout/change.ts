/** `limpet rollout pause`, `resume` and `revert`. */
import type { RolloutSpec } from '@limpet/dmi/manifest';
import type { Document } from '../api.ts';
import { withApi } from '../client.ts';
import { parseName } from '../names.ts';
import { processOutput } from '../output.ts';
import type { RolloutChangeOptions } from '../verbs/rollout.ts';
import { waitFor } from './wait.ts';

const CHANGES = {
  pause: [{ paused: true }, 'pauses'],
  resume: [{ paused: false }, 'goes on'],
  revert: [{ revert: true }, 'is undone'],
} as const satisfies Record<string, readonly [RolloutSpec, string]>;

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
    const patched = await api.patch({ kind: 'Rollout', ...place }, patch);
    if (options.wait === true) return waitFor(api, place, output);
    if (output.json) output.printJson(patched);
    else output.print(`rollout ${place.namespace}/${place.name} ${words}`);
    return 0;
  });
}
