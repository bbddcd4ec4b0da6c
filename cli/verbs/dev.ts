/** `limpet dev …`: verbs for whoever works on Limpet itself; only in a checkout. */
import type { Command } from 'commander';
import type { Act } from './verb.ts';

export function declareDev(program: Command, act: Act): void {
  program
    .command('dev')
    .description('for working on Limpet itself: dev test runs its tests')
    .command('test')
    .description('run all tests that need only Node, or those of the given paths')
    .argument('[path...]', 'test files or patterns')
    .addHelpText('after', '\nExamples:\n  npm test\n  npm test -- cli/set/value.test.ts')
    .action((paths: readonly string[]) =>
      act(async () => (await import('../dev-test.ts')).runTests(paths)),
    );
}
