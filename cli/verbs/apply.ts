/** `limpet apply`: makes what manifests say. */
import type { Command } from 'commander';
import { type Act, type AskOptions, withTarget } from './verb.ts';

export interface ApplyOptions extends AskOptions {
  readonly filename: readonly string[];
  readonly namespace: string;
  readonly dryRun?: true;
}

export function declareApply(program: Command, act: Act): void {
  withTarget(
    program
      .command('apply')
      .description('create or change devices and models as manifests say')
      .requiredOption(
        '-f, --filename <file...>',
        'a file, a folder (read with its subfolders: *.yaml, *.yml, *.json), or - for standard input',
      )
      .option('-n, --namespace <name>', 'for manifests that name none', 'default'),
  )
    .option('--dry-run', 'check everything, change nothing')
    .option('--json', 'one line of JSON per resource')
    .addHelpText(
      'after',
      `
Examples:
  limpet apply -f boiler.yaml
  limpet apply -f manifests/ --cloud https://cloud.example:8440 --token-file token --ca ca.pem
  cat boiler.yaml | limpet apply -f - --dry-run`,
    )
    .action((options: ApplyOptions) =>
      act(async () => (await import('../apply/run.ts')).runApply(options)),
    );
}
