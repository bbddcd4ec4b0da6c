/** `limpet capture` and `limpet replay`: what goes over a device's wire, recorded and read. */
import type { Command } from 'commander';
import { type Act, type AskOptions, withTarget } from './verb.ts';

export interface CaptureOptions extends AskOptions {
  readonly namespace: string;
  readonly for: string;
  readonly output?: string;
}

export interface ReplayOptions {
  readonly output?: string;
  readonly json?: true;
}

export function declareCapture(program: Command, act: Act): void {
  withTarget(
    program
      .command('capture')
      .description('record what goes over the wire of a device, with times, from its edge')
      .argument('<device>', 'such as boiler-1 or plant/boiler-1')
      .option('-n, --namespace <name>', 'namespace', 'default')
      .option('--for <duration>', 'how long, like 10s or 5m; Ctrl-C ends it earlier', '30s')
      .option('-o, --output <file>', 'the file to write (default DEVICE.capture.jsonl)'),
  )
    .option('--json', 'print the recording itself, as JSON lines, in place of a file')
    .addHelpText(
      'after',
      `
Examples:
  limpet capture boiler-1 --for 10s --edge limpet.yaml
  limpet replay boiler-1.capture.jsonl

What goes over a wire may hold passwords and values that are not meant for others: the file is readable by its owner only. Secrets are
left out of the settings in it, by their names. Where the library of a mapper opens its own sockets, those of all its devices
are in the recording; what has no sockets (Bluetooth) cannot be recorded.`,
    )
    .action((device: string, options: CaptureOptions) =>
      act(async () => (await import('../capture/run.ts')).runCapture(device, options)),
    );
}

export function declareReplay(program: Command, act: Act): void {
  program
    .command('replay')
    .description(
      'check a recording of limpet capture, print it, and make a fixture for a test of it',
    )
    .argument('<file>', 'a recording')
    .option('-o, --output <file>', 'write the fixture: whole wires only, beginning at 0')
    .option('--json', 'print a summary as JSON, not the transcript')
    .addHelpText(
      'after',
      `
In a test, with @limpet/dmi/testing:
  const replay = replayWire(parseRecording(readFileSync('x.capture.jsonl', 'utf8')), { echoes: [{ at: 0, length: 2 }] });
  const context = fakeContext({ wire: replay.serve });`,
    )
    .action((file: string, options: ReplayOptions) =>
      act(async () => (await import('../replay/run.ts')).runReplay(file, options)),
    );
}
