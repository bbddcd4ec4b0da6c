/** `limpet query`: asks the fleet, or one edge's own twins. */
import type { Command } from 'commander';
import { type Act, type AskOptions, withTarget } from './verb.ts';

export interface QueryOptions extends AskOptions {
  readonly file?: string;
  readonly limit: string;
  readonly after?: string;
  readonly explain?: true;
}

export function declareQuery(program: Command, act: Act): void {
  withTarget(
    program
      .command('query')
      .description('ask a query over devices, their properties, nodes and models')
      .argument('[query]', 'SELECT … FROM devices, properties, nodes or models')
      .option('-f, --file <file>', 'read the query from a file, or from standard input with -')
      .option('--limit <rows>', 'show at most so many rows', '1000')
      .option(
        '--after <token>',
        'wait for a write: the resourceVersion, or rev, that the cloud answered it with',
      )
      .option('--explain', 'do not answer: say where it would start to read, and at what cost'),
  )
    .option('--json', 'as JSON lines, one per row')
    .addHelpText(
      'after',
      `
Properties are columns of devices by their name; quality(), age(), drift() and verdict() say what they are like. The
edge (--edge) answers over its own twins, also without any cloud. An UPDATE begins a rollout: "limpet rollout run" says more of it.

Examples:
  limpet query "SELECT device, temperature FROM devices WHERE temperature > 80 ORDER BY temperature DESC LIMIT 20"
  limpet query "SELECT device, age(temperature) FROM devices WHERE age(temperature) > 1m AND labels.site = 'north'"
  limpet query "SELECT model, count(*), avg(temperature) FROM devices GROUP BY model" --json
  limpet query "SELECT device FROM devices WHERE drift(setpoint)" --explain
  limpet query "SELECT property, value, quality FROM properties" --edge limpet.yaml
  limpet query -f hot.sql`,
    )
    .action((query: string | undefined, options: QueryOptions) =>
      act(async () => (await import('../query/run.ts')).runQuery(query, options)),
    );
}
