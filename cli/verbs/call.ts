/** `limpet call`: runs a method of a device. */
import type { Command } from 'commander';
import { type Act, type AskOptions, withTarget } from './verb.ts';

export interface CallOptions extends AskOptions {
  readonly namespace: string;
  readonly timeout: string;
}

export function declareCall(program: Command, act: Act): void {
  withTarget(
    program
      .command('call')
      .description(
        'run a method of a device, once, and print what it gives back; or list its methods',
      )
      .argument('<device>', 'such as pump-1 or plant/pump-1')
      .argument('[method]', 'as the model of the device names it; without one, all are listed')
      .argument('[name=value...]', 'its inputs, each as its type says; after -- when negative')
      .option('-n, --namespace <name>', 'namespace', 'default')
      .option('--timeout <duration>', 'how long it may take, at most 60s', '10s'),
  )
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Examples:
  limpet call pump-1                    its methods, what goes into them and what comes out
  limpet call pump-1 start speed=1450 ramp=2.5
  limpet call plant/robot-2 moveTo 'target={"x":10,"y":4}' --timeout 30s
  limpet call scale-1 tare --edge limpet.yaml --json

A call is never stored and never repeated: when the node or the device is away it fails at once. The error says where it
stopped (cloud, edge or device), and whether the device may have carried it out. Exit code 1: it did not succeed.`,
    )
    .action(
      (
        device: string,
        method: string | undefined,
        words: readonly string[],
        options: CallOptions,
      ) =>
        act(async () =>
          (await import('../call/run.ts')).runCall({ device, method, words }, options),
        ),
    );
}
