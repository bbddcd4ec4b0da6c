/** `limpet delete`: removes a device or a model. */
import type { Command } from 'commander';
import { type Act, type AskOptions, withTarget } from './verb.ts';

export interface DeleteOptions extends AskOptions {
  readonly namespace: string;
}

export function declareDelete(program: Command, act: Act): void {
  withTarget(
    program
      .command('delete')
      .description('remove a device or a model')
      .argument('<kind>', 'device or model')
      .argument('<name>', 'its name; NAMESPACE/NAME works too')
      .option('-n, --namespace <name>', 'namespace', 'default'),
  )
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  limpet delete device boiler-1\n  limpet delete model boiler',
    )
    .action((kind: string, name: string, options: DeleteOptions) =>
      act(async () => (await import('../delete.ts')).runDelete({ kind, name }, options)),
    );
}
