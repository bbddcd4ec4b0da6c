/** `limpet discover`: looks what there is, and writes manifests for it. */
import type { Command } from 'commander';
import type { Act } from './verb.ts';

export interface DiscoverOptions {
  readonly set?: readonly string[];
  readonly name?: string;
  readonly namespace: string;
  readonly node?: string;
  readonly config?: string;
  readonly folder?: string;
  readonly output?: string;
  readonly timeout: string;
  readonly all?: true;
  readonly json?: true;
}

export function declareDiscover(program: Command, act: Act): void {
  program
    .command('discover')
    .description('look what devices there are and what they have, and write manifests for them')
    .argument('<protocol>', 'such as modbus or opcua: the name of an installed mapper')
    .argument('[where]', 'an address as the protocol writes it; without one, wherever it can look')
    .option('--set <name=value...>', 'a setting to look with, as a device would have it')
    .option('-o, --output <file>', 'write DeviceModels and Devices as YAML; - for standard output')
    .option('--name <name>', 'what to call the device; several get -2, -3 and so on')
    .option('-n, --namespace <name>', 'namespace of what is written', 'default')
    .option(
      '--node <name>',
      'the node that runs the devices (default: that of --config, or this host)',
    )
    .option('--config <file>', 'limpet.yaml of an edge: its mappers, node name and mapper folders')
    .option('--folder <folder>', 'the package of a mapper that is not installed')
    .option('--timeout <duration>', 'how long to look, at most 1h', '30s')
    .option('--all', 'show all of each tree, however long')
    .option('--json', 'one line of JSON for each device found')
    .addHelpText(
      'after',
      `
Examples:
  limpet discover modbus tcp://10.0.0.5 -o meters.yaml
  limpet discover modbus 'rtu:///dev/ttyUSB0?baud=9600' --set units=1-32 --timeout 2m
  limpet discover opcua opc.tcp://10.0.0.7:4840 --name press -o press.yaml && limpet apply -f press.yaml
  limpet discover acme --folder ./mapper-acme tcp://10.0.0.9:7000

The mapper runs inside this command, with the rights of whoever runs it. What was found when the time is up counts, also
after Ctrl-C. Exit code 1: nothing was found, or looking failed.`,
    )
    .action((protocol: string, where: string | undefined, options: DiscoverOptions) =>
      act(async () =>
        (await import('../discover/run.ts')).runDiscover({ protocol, where }, options),
      ),
    );
}
