/** `limpet why`: where a value stopped. */
import type { Command } from 'commander';
import { type Act, type AskOptions, withTarget } from './verb.ts';

export interface WhyOptions extends AskOptions {
  readonly namespace: string;
}

export function declareWhy(program: Command, act: Act): void {
  withTarget(
    program
      .command('why')
      .description('say why a value is as it is: where it stopped, since when, and what to do')
      .argument('<device.property>', 'such as boiler-1.temperature or plant/boiler-1.temperature')
      .option('-n, --namespace <name>', 'namespace', 'default'),
  )
    .option('--json', 'as JSON: all that was found, the answer first')
    .addHelpText(
      'after',
      `
Stages, in the order of the way: manifest, mapper, device, breaker (it has a pause), port (waits for its turn), schedule (not due),
deadband (moved too little), conversion (type or limits), queue, link, cloud; none: nothing is wrong. Of a desired value
that is not confirmed it says where that waits. Nothing is read or sent for it: it tells what is known.

Examples:
  limpet why boiler-1.temperature                      asks the cloud, which asks the edge
  limpet why boiler-1.setpoint --edge limpet.yaml      the edge on this machine, without any cloud
  limpet why plant/boiler-1.temperature --json

Exit code 1: it could not be found out.`,
    )
    .action((place: string, options: WhyOptions) =>
      act(async () => (await import('../why/run.ts')).runWhy(place, options)),
    );
}
