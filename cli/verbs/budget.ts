/** `limpet budget`: how a node's memory and disk are shared, and who keeps to it. */
import type { Command } from 'commander';
import { type Act, type AskOptions, withTarget } from './verb.ts';

export type BudgetOptions = AskOptions;

export function declareBudget(program: Command, act: Act): void {
  withTarget(
    program
      .command('budget')
      .description("show how a node's memory and disk are shared out, and what each takes")
      .argument('[node]', 'only this one; without it all nodes, of an edge its own'),
  )
    .option('--json', 'as JSON, sizes in bytes')
    .addHelpText(
      'after',
      `
NOW and PEAK are private memory (RssAnon), which the budget counts; PSS and RSS include pages of files, which the
kernel can drop. OVER: how often it went beyond its budget. Of "writes" NOW is today's, PEAK the highest projection
for a day.

Examples:
  limpet budget --edge limpet.yaml
  limpet budget gateway-1 --json`,
    )
    .action((node: string | undefined, options: BudgetOptions) =>
      act(async () => (await import('../budget/run.ts')).runBudget(node, options)),
    );
}
