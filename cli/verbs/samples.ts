/** `limpet samples`: the past of one property, from the cloud or from the edge that records it. */
import type { Command } from 'commander';
import { type Act, type AskOptions, withTarget } from './verb.ts';

export interface SamplesOptions extends AskOptions {
  readonly namespace: string;
  readonly since: string;
}

export function declareSamples(program: Command, act: Act): void {
  withTarget(
    program
      .command('samples')
      .description('show the past of a property: values, and gaps with their cause')
      .argument('<device.property>', 'such as boiler-1.level; NAMESPACE/DEVICE.PROPERTY works too')
      .option('-n, --namespace <name>', 'namespace', 'default')
      .option('--since <duration>', 'how far back, like 10m, 1h, 7d', '1h'),
  )
    .option('--json', 'as JSON lines, one sample or gap each')
    .addHelpText(
      'after',
      `
The cloud has the past of every property: exactly as its node recorded it where the model says "history: true" or
"history: { every: 10s }", also of the time the node was away; each change that reached the cloud of the others. The node itself
(--edge) has that of the first only.

Examples:
  limpet samples boiler-1.level
  limpet samples boiler-1.level --edge limpet.yaml
  limpet samples boiler-1.level --since 10m --json --edge limpet.yaml`,
    )
    .action((name: string, options: SamplesOptions) =>
      act(async () => (await import('../samples/run.ts')).runSamples(name, options)),
    );
}
