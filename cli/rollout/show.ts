/** `limpet rollout show`. */
import process from 'node:process';
import type { Rollout, RolloutOutcome } from '@limpet/dmi/manifest';
import type { Api } from '../api.ts';
import { withApi } from '../client.ts';
import { parseName } from '../names.ts';
import { type Output, processOutput } from '../output.ts';
import { barLine, outcomeTable, queryText, stateLine } from '../render/rollouts.ts';
import { layOut } from '../render/table.ts';
import { terminalScreen } from '../render/live.ts';
import type { RolloutShowOptions } from '../verbs/rollout.ts';

type Place = { readonly namespace: string; readonly name: string };

/** Devices on a screen. */
const SHOWN = 50;
/** Of few devices all are worth a line. */
const FEW = 20;

export async function runShow(word: string, options: RolloutShowOptions): Promise<number> {
  const place = parseName(word, options.namespace);
  const output = processOutput(options.json === true);
  return withApi(options, async (api) => {
    const rollout = (await api.get({ kind: 'Rollout', ...place })) as Rollout;
    if (output.json) {
      const devices: RolloutOutcome[] = [];
      for await (const outcome of outcomesOf(api, place, options.state)) devices.push(outcome);
      output.printJson({ ...rollout, devices });
    } else await show(api, { rollout, place, state: options.state }, output);
    return 0;
  });
}

async function show(
  api: Api,
  asked: { readonly rollout: Rollout; readonly place: Place; readonly state: string | undefined },
  output: Output,
): Promise<void> {
  const { rollout, place, state } = asked;
  const columns = terminalScreen(process.stdout).columns;
  output.print(queryText(rollout.spec));
  output.print(barLine(rollout, output.colour, columns));
  output.print(stateLine(rollout, output.colour));
  const devices = await worthShowing(api, place, {
    state,
    total: rollout.status?.counts.total ?? 0,
  });
  if (devices.length === 0) return;
  output.print('');
  const { colour } = output;
  const table = outcomeTable(devices.slice(0, SHOWN));
  for (const line of layOut(table, { colour, ...(output.terminal && { columns }) }))
    output.print(line);
  if (devices.length > SHOWN) output.note('There are more: --json shows all.');
}

/** Of few devices all; of many those that did not do it. */
async function worthShowing(
  api: Api,
  place: Place,
  { state, total }: { readonly state: string | undefined; readonly total: number },
): Promise<readonly RolloutOutcome[]> {
  const states = state !== undefined ? [state] : total <= FEW ? [undefined] : TROUBLE;
  const found: RolloutOutcome[] = [];
  for (const each of states) {
    for await (const outcome of outcomesOf(api, place, each)) {
      found.push(outcome);
      if (found.length > SHOWN) return found;
    }
  }
  return found;
}

const TROUBLE = ['rejected', 'expired', 'skipped'];

async function* outcomesOf(
  api: Api,
  place: Place,
  state: string | undefined,
): AsyncGenerator<RolloutOutcome> {
  let token: string | undefined;
  do {
    const page = await api.outcomes(
      { kind: 'Rollout', ...place },
      { ...(state !== undefined && { state }), ...(token !== undefined && { continue: token }) },
    );
    yield* page.items;
    token = page.metadata.continue;
  } while (token !== undefined);
}
