/** `limpet set`: wants a value of a property. */
import { type Command, Option } from 'commander';
import { type Act, type AskOptions, withTarget } from './verb.ts';

export interface SetOptions extends AskOptions {
  readonly namespace: string;
  readonly wait: 'accepted' | 'stored' | 'sent' | 'confirmed';
  readonly expires?: string;
  readonly timeout: string;
}

export function declareSet(program: Command, act: Act): void {
  withTarget(
    program
      .command('set')
      .description('set the desired value of a property, and wait until it got as far as you ask')
      .argument('<device.property>', 'such as boiler-1.setpoint or plant/boiler-1.setpoint')
      .argument(
        '<value>',
        'as the type of the property says; null withdraws; after -- when negative',
      )
      .option('-n, --namespace <name>', 'namespace', 'default')
      .addOption(
        new Option(
          '--wait <stage>',
          'stored: on disk at the edge; sent: on the wire; confirmed: read back',
        )
          .choices(['accepted', 'stored', 'sent', 'confirmed'])
          .default('accepted'),
      )
      .option('--expires <duration>', 'not to be executed later than this from now: 30s, 5m')
      .option('--timeout <duration>', 'how long to wait for the stage', '30s'),
  )
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Examples:
  limpet set boiler-1.setpoint 60
  limpet set boiler-1.pump true --wait confirmed --expires 30s
  limpet set plant/chiller.offset --edge limpet.yaml -- -2.5

Exit code 1: refused, rejected by the device, expired, superseded, or not there in time.`,
    )
    .action((place: string, value: string, options: SetOptions) =>
      act(async () => (await import('../set/run.ts')).runSet({ place, value }, options)),
    );
}
