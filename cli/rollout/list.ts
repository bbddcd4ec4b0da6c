/** `limpet rollout list`. */
import { runGet } from '../get/run.ts';
import type { RolloutOptions } from '../verbs/rollout.ts';

export function runList(options: RolloutOptions): Promise<number> {
  return runGet({ kind: 'rollouts', name: undefined }, { ...options, output: 'wide' });
}
