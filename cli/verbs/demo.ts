/** `limpet demo`: a cloud, an edge node and a small plant on this machine, live. */
import type { Command } from 'commander';
import { usage } from '../cli-error.ts';
import type { Act } from './verb.ts';

export interface DemoOptions {
  readonly seconds?: number;
  readonly json?: true;
}

export function declareDemo(program: Command, act: Act): void {
  program
    .command('demo')
    .description('run a cloud, an edge node and an emulated boiler house, and show live values')
    .option('--seconds <number>', 'end by itself after so many seconds of values', positive)
    .option('--json', 'lines of JSON instead of a table')
    .addHelpText(
      'after',
      `
Examples:
  limpet demo
  limpet demo --seconds 20 --json

Everything listens on 127.0.0.1 only and is gone after Ctrl-C.`,
    )
    .action((options: DemoOptions) =>
      act(async () => (await import('../demo/run.ts')).runDemo(options)),
    );
}

function positive(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0 && value <= 86_400) return value;
  throw usage(`--seconds must be a number above 0 and at most 86400, not "${text}".`);
}
