/** What the verbs share: how they are run, and the options that say whom to ask. */
import type { Command } from 'commander';

/** Runs what a verb does; the task resolves with the exit code. */
export type Act = (task: () => Promise<number>) => Promise<void>;

export interface AskOptions {
  readonly cloud?: string;
  readonly edge?: string;
  readonly tokenFile?: string;
  readonly ca?: string;
  readonly json?: true;
}

/** Adds `--cloud`, `--edge`, `--token-file` and `--ca`. */
export function withTarget(command: Command): Command {
  return command
    .option(
      '--cloud <url>',
      'address of the cloud (or LIMPET_CLOUD; default http://127.0.0.1:8440)',
    )
    .option(
      '--edge <place>',
      'ask one edge instead: its socket, data folder or limpet.yaml (or LIMPET_EDGE)',
    )
    .option(
      '--token-file <file>',
      'file with the token that the cloud asks for (or LIMPET_TOKEN_FILE)',
    )
    .option('--ca <file>', 'certificate authority of the cloud, in PEM (or LIMPET_CA)');
}
