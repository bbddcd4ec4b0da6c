/** `limpet rollout list`. */
import { runGet } from '../get/run.ts';
import type { RolloutListOptions } from '../verbs/rollout.ts';

export function runList(options: RolloutListOptions): Promise<number> {
  return runGet({ kind: 'rollouts', name: undefined }, { ...options, output: 'wide' });
}
