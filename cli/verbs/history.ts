/** `limpet history`: the past of one property, plotted. */
import type { Command } from 'commander';
import { type Act, type AskOptions, withTarget } from './verb.ts';

export interface HistoryOptions extends AskOptions {
  readonly namespace: string;
  readonly since?: string;
  readonly from?: string;
  readonly to?: string;
  readonly bucket: string;
  readonly table?: true;
}

export function declareHistory(program: Command, act: Act): void {
  withTarget(
    program
      .command('history')
      .description('plot the past of a property, with its gaps and what it comes to')
      .argument('<device.property>', 'such as boiler-1.level; NAMESPACE/DEVICE.PROPERTY works too')
      .option('-n, --namespace <name>', 'namespace', 'default')
      .option('--since <duration>', 'how far back from the end, like 10m, 1h, 7d (default: 1d)')
      .option('--from <time>', 'begin, like 2026-11-22, 2026-11-22T10:00 or 2026-11-22T10:00:00Z')
      .option('--to <time>', 'end (default: now)')
      .option('--bucket <duration>', 'how long one point stands for, like 5m', 'auto')
      .option('--table', 'the buckets as a table instead of a plot'),
  )
    .option(
      '--json',
      'as one JSON document: summary, buckets, gaps, changes of text and truth values',
    )
    .addHelpText(
      'after',
      `
Of each bucket the plot shows minimum to maximum (░) and the mean (▁ ─ ▔), weighted by how long each value held; × below marks where a
gap is, listed with its cause and length. Without --bucket it is as short as the terminal is wide. Text and truth values are a
table of changes. The cloud has the past of every property, an edge (--edge) of those with "history" in their model; single samples
are told by "limpet samples".

Examples:
  limpet history boiler-1.temperature
  limpet history boiler-1.temperature --since 7d --bucket 1h
  limpet history plant/boiler-1.pump --from 2026-11-21 --to 2026-11-22
  limpet history boiler-1.temperature --since 1h --edge limpet.yaml
  limpet history boiler-1.temperature --bucket 5m --json | jq '.buckets[].mean'`,
    )
    .action((name: string, options: HistoryOptions) =>
      act(async () => (await import('../history/run.ts')).runHistory(name, options)),
    );
}
