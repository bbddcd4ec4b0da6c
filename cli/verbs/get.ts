/** `limpet get`: shows nodes, devices, models and mappers. */
import { type Command, Option } from 'commander';
import { type Act, type AskOptions, withTarget } from './verb.ts';

export interface GetOptions extends AskOptions {
  readonly namespace: string;
  readonly allNamespaces?: true;
  readonly selector?: string;
  readonly output: 'table' | 'wide' | 'json' | 'yaml';
  readonly watch?: true;
}

export function declareGet(program: Command, act: Act): void {
  withTarget(
    program
      .command('get')
      .description(
        'show nodes, devices, models, rollouts or mappers; with a NAME of a device, its twin',
      )
      .argument('<kind>', 'nodes, devices, models, rollouts or mappers')
      .argument('[name]', 'only this one; NAMESPACE/NAME works too')
      .option('-n, --namespace <name>', 'namespace', 'default')
      .option('-A, --all-namespaces', 'of all namespaces')
      .option('-l, --selector <labels>', 'only with these labels: hall=north,line!=2')
      .addOption(
        new Option('-o, --output <form>', 'how to print')
          .choices(['table', 'wide', 'json', 'yaml'])
          .default('table'),
      )
      .option('-w, --watch', 'go on and show changes; reconnects by itself'),
  )
    .option('--json', 'the same as -o json')
    .addHelpText(
      'after',
      `
Examples:
  limpet get devices -A
  limpet get device boiler-1            its twin: value, quality, age, desired, verdict
  limpet get devices -l hall=north -w
  limpet get nodes -o json
  limpet get mapper modbus              its state, its memory, what it printed last
  limpet get devices --edge limpet.yaml the edge on this machine, without any cloud`,
    )
    .action((kind: string, name: string | undefined, options: GetOptions) =>
      act(async () => (await import('../get/run.ts')).runGet({ kind, name }, options)),
    );
}
