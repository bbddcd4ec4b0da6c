/** `limpet opcua`: which OPC UA servers an edge trusts. */
import type { Command } from 'commander';
import type { Act } from './verb.ts';

export interface OpcuaOptions {
  readonly config: string;
  readonly edge?: string;
  readonly json?: true;
}

export function declareOpcua(program: Command, act: Act): void {
  const opcua = program
    .command('opcua')
    .description('show, trust and reject the certificates of OPC UA servers');
  const verb = (name: 'list' | 'trust' | 'reject', words: string, argument?: string): void => {
    const command = opcua.command(name).description(words);
    if (argument !== undefined) {
      const what = 'its thumbprint, the beginning of it, or a file (DER or PEM)';
      command.argument(
        argument,
        name === 'trust' ? what : 'its thumbprint, or the beginning of it',
      );
    }
    command
      .option('--config <file>', "the edge's limpet.yaml", 'limpet.yaml')
      .option('--edge <place>', 'the same: its limpet.yaml, or the folder that holds one')
      .option('--json', 'as JSON')
      .action((...given: unknown[]) =>
        act(async () => {
          const [which] = argument === undefined ? [] : given;
          const options = given.at(-2) as OpcuaOptions;
          const { runOpcua } = await import('../opcua/run.ts');
          return runOpcua({ verb: name, which: which as string | undefined }, options);
        }),
      );
  };
  verb('list', 'the certificates that are trusted, and those that were met and are not');
  verb(
    'trust',
    'trust a server, or an authority whose servers are all to be trusted',
    '<certificate>',
  );
  verb('reject', 'trust it no longer', '<certificate>');
  opcua.addHelpText(
    'after',
    `
Examples:
  limpet opcua list
  limpet opcua trust 4E2F91D07A53
  limpet opcua trust plant-authority.pem --config /etc/limpet/limpet.yaml

It works on the data folder of an edge, running or not. A server that waits to be trusted connects at its next attempt, within
5 minutes; one that is rejected keeps the connection that it has.`,
  );
}
