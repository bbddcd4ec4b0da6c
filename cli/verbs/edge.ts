/** `limpet edge`: runs the edge of one node. */
import type { Command } from 'commander';
import type { Act } from './verb.ts';

export interface EdgeOptions {
  readonly config: string;
  readonly json?: true;
}

export function declareEdge(program: Command, act: Act): void {
  program
    .command('edge')
    .description(
      'run the edge of one node: devices, twins, local bus, and the cloud if there is one',
    )
    .requiredOption('--config <file>', 'limpet.yaml')
    .option('--json', 'faults of the configuration as JSON')
    .addHelpText(
      'after',
      `
Examples:
  limpet edge --config limpet.yaml

limpet.yaml:
  node: gateway-1
  data: ./edge-data
  cloud: ws://127.0.0.1:8440/hub    # optional
  bus: { listen: 127.0.0.1:1883 }
  manifests: ./manifests            # optional
  memory: { ceiling: 96Mi, core: 48Mi }   # optional: see "limpet budget"`,
    )
    .action((options: EdgeOptions) =>
      act(async () => (await import('../run-edge.ts')).runEdge(options)),
    );
}
