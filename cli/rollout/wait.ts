/** Shows how far a rollout is, over lost connections, until it has ended or waits for somebody. */
import process from 'node:process';
import type { Rollout } from '@limpet/dmi/manifest';
import type { Api } from '../api.ts';
import { CliError } from '../cli-error.ts';
import { follow } from '../follow.ts';
import type { Output } from '../output.ts';
import { Live, terminalScreen } from '../render/live.ts';
import { barLine, failures, stateLine } from '../render/rollouts.ts';
import { stopSignal } from '../stop.ts';

/** Whether it is worth waiting on. */
type Stand = 'goes on' | 'well' | 'not well';

export async function waitFor(
  api: Api,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  output: Output,
): Promise<number> {
  const stop = stopSignal();
  const show = shownOn(output);
  const query = { kind: 'Rollout', namespace, fieldSelector: `metadata.name=${name}` } as const;
  for await (const step of follow(api, query, { signal: stop.signal })) {
    if (step.kind === 'lost') continue;
    const changes = step.kind === 'list' ? step.changes : [step.change];
    for (const { type, object } of changes) {
      if (type === 'DELETED') throw gone(namespace, name);
      const rollout = object as Rollout;
      show(rollout);
      const stand = standOf(rollout);
      if (stand === 'goes on') continue;
      stop.abort();
      if (output.json) output.printJson(rollout);
      return Number(stand === 'not well');
    }
    if (step.kind === 'list' && step.first && changes.length === 0) throw gone(namespace, name);
  }
  return 0;
}

function gone(namespace: string, name: string): CliError {
  return new CliError(1, 'NotFound', `there is no rollout ${namespace}/${name} (any more).`);
}

/** After a change of its spec it takes a moment until its phase follows. */
function standOf({ spec, status }: Rollout): Stand {
  if (status === undefined) return 'goes on';
  const { phase, counts } = status;
  if (phase === 'Failed') return 'not well';
  if (phase === 'Reverted') return counts.skipped > 0 ? 'not well' : 'well';
  if (spec.revert === true) return 'goes on';
  if (phase === 'Done') return failures(counts) + counts.skipped > 0 ? 'not well' : 'well';
  const stands = phase === 'Stopped' || phase === 'Paused';
  return stands && spec.paused === true ? 'not well' : 'goes on';
}

function shownOn(output: Output): (rollout: Rollout) => void {
  if (output.json) return () => {};
  if (output.terminal) {
    const live = new Live(terminalScreen(process.stdout));
    return (rollout) =>
      live.draw([barLine(rollout, output.colour, live.columns), stateLine(rollout, output.colour)]);
  }
  let last = '';
  return (rollout) => {
    const line = stateLine(rollout, false);
    if (line !== last) output.print(line);
    last = line;
  };
}
