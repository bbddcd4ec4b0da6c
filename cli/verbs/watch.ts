/** `limpet watch`: a query that stays. */
import type { Command } from 'commander';
import { type Act, type AskOptions, withTarget } from './verb.ts';

export interface WatchOptions extends AskOptions {
  readonly file?: string;
}

export function declareWatch(program: Command, act: Act): void {
  withTarget(
    program
      .command('watch')
      .description('keep showing what a query answers: rows that enter, change and leave')
      .argument('[query]', 'SELECT … FROM devices, properties, nodes or models')
      .option('-f, --file <file>', 'read the query from a file, or from standard input with -'),
  )
    .option('--json', 'as JSON lines, one per event')
    .addHelpText(
      'after',
      `
On a terminal the rows are a table that changes as they do; else each change is a line: what was there first as "enter" too. A lost
connection is made again, and what happened meanwhile is shown once. Groups, ORDER BY and LIMIT are allowed; they and what comes or goes
by time alone (age(), now()) may be shown up to a second late. Watching is of the cloud; Ctrl-C ends it.

Examples:
  limpet watch "SELECT device, temperature FROM devices WHERE temperature > 80"
  limpet watch "SELECT device, property, quality FROM properties WHERE quality <> 'good'"
  limpet watch "SELECT model, count(*), max(temperature) FROM devices GROUP BY model"
  limpet watch "SELECT device FROM devices WHERE age(temperature) > 1m" --json
  limpet watch -f late.sql`,
    )
    .action((query: string | undefined, options: WatchOptions) =>
      act(async () => (await import('../watch/run.ts')).runWatch(query, options)),
    );
}
