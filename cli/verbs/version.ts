/** `limpet version`. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { processOutput } from '../output.ts';
import type { Act } from './verb.ts';

export function declareVersion(program: Command, act: Act): void {
  program
    .command('version')
    .description('print the version of Limpet and of the Node it runs on')
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExamples:\n  limpet version\n  limpet version --json')
    .action((options: { json?: true }) =>
      act(async () => {
        const output = processOutput(options.json === true);
        const limpet = ownVersion();
        const node = process.versions.node;
        if (output.json)
          output.printJson({ limpet, node, platform: `${process.platform}-${process.arch}` });
        else output.print(`limpet ${limpet} (Node ${node}, ${process.platform}-${process.arch})`);
        return 0;
      }),
    );
}

function ownVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
