/** `limpet top`: what nodes are busy with, live. */
import type { Command } from 'commander';
import { type Act, type AskOptions, withTarget } from './verb.ts';

export interface TopOptions extends AskOptions {
  readonly interval: string;
  readonly once?: true;
}

export function declareTop(program: Command, act: Act): void {
  withTarget(
    program
      .command('top')
      .description('show live what nodes are busy with; of one node also its ports and mappers')
      .argument('[node]', 'only this one; of an edge (--edge) its own')
      .option('--interval <duration>', 'how often to look, like 2s', '2s')
      .option(
        '--once',
        'look twice, an interval apart (and again for what was only just reached), print and end',
      ),
  )
    .option('--json', 'one line of JSON for each interval')
    .addHelpText(
      'after',
      `
READINGS are values that devices gave, ERRORS those that were none, each per second; ROWS wait to be sent to the cloud; MEMORY is
private memory of the edge and its mappers, of what it may be. Of a port: the share of the time that it was a device's turn. OLDEST
is the value that was due longest ago. Figures are asked of the nodes themselves: of one that is away there are none.

Examples:
  limpet top                          all nodes of the cloud on this machine
  limpet top gateway-1                one of them, with its ports and mappers
  limpet top --edge limpet.yaml       the edge on this machine, without any cloud
  limpet top --once --json | jq .nodes`,
    )
    .action((node: string | undefined, options: TopOptions) =>
      act(async () => (await import('../top/run.ts')).runTop(node, options)),
    );
}
