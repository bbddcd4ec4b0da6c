/** `limpet rollout …`: the same desired values for many devices, carefully. */
import type { Command } from 'commander';
import { type Act, type AskOptions, withTarget } from './verb.ts';

interface RolloutOptions extends AskOptions {
  readonly namespace: string;
}

export interface RolloutListOptions extends RolloutOptions {
  readonly allNamespaces?: true;
}

export interface RolloutRunOptions extends RolloutOptions {
  readonly name?: string;
  readonly canary?: string;
  readonly batch?: string;
  readonly stopAfter?: string;
  readonly timeout?: string;
  readonly expires?: string;
  readonly withdraw?: true;
  readonly dryRun?: true;
  readonly wait?: true;
}

export interface RolloutShowOptions extends RolloutOptions {
  readonly state?: string;
}

export interface RolloutChangeOptions extends RolloutOptions {
  readonly wait?: true;
}

export function declareRollout(program: Command, act: Act): void {
  const rollout = program
    .command('rollout')
    .description('set desired values of many devices: a canary, then batches, stopped and undone')
    .addHelpText(
      'after',
      `
Examples:
  limpet rollout run "UPDATE devices SET desired.setpoint = 50 WHERE model = 'boiler'" --dry-run
  limpet rollout list
  limpet rollout show setpoint-k3f9a`,
    );
  declareRun(rollout, act);
  declareList(rollout, act);
  declareShow(rollout, act);
  declareChanges(rollout, act);
}

function command(parent: Command, name: string, description: string): Command {
  return withTarget(parent.command(name).description(description)).option(
    '-n, --namespace <name>',
    'namespace',
    'default',
  );
}

function declareRun(rollout: Command, act: Act): void {
  command(rollout, 'run', 'begin a rollout')
    .argument(
      '<update>',
      'such as "UPDATE devices SET desired.setpoint = 50 WHERE model = \'boiler\'"',
    )
    .option('--name <name>', 'what to call it (default: the property and some letters)')
    .option(
      '--canary <devices>',
      'devices to begin with, or a share like 10%; 0 for none (default 1)',
    )
    .option('--batch <devices>', 'devices at a time (default 50)')
    .option('--stop-after <failures>', 'stop when so many devices have failed (default 1)')
    .option('--timeout <duration>', 'how long one device may take (default 1m)')
    .option('--expires <duration>', 'an order is not to be carried out later than this')
    .option('--withdraw', 'take an order back that is not carried out in time, or when it stops')
    .option(
      '--dry-run',
      'say how many devices it is for and what would be in the way; nothing is done',
    )
    .option('--wait', 'show how far it is until it has ended or stopped')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
The devices are those that fit when it begins, of its namespace. A device that refuses, or does not carry it out in time, has failed;
one of an absent node waits until then. A canary stops at its first failure. What is desired of a device that somebody else
has set since is left as it is.

Examples:
  limpet rollout run "UPDATE devices SET desired.setpoint = 50 WHERE labels.hall = 'north'" --dry-run
  limpet rollout run "UPDATE devices SET desired.setpoint = 50 WHERE model = 'boiler'" \\
    --canary 5 --batch 50 --stop-after 3 --timeout 30s --wait

Exit code 1: refused, or with --wait: it stopped, failed, or some device did not do it.`,
    )
    .action((update: string, options: RolloutRunOptions) =>
      act(async () => (await import('../rollout/run.ts')).runRollout(update, options)),
    );
}

function declareList(rollout: Command, act: Act): void {
  command(rollout, 'list', 'show rollouts and how far they are')
    .option('-A, --all-namespaces', 'in all namespaces')
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExamples:\n  limpet rollout list\n  limpet rollout list --json')
    .action((options: RolloutListOptions) =>
      act(async () => (await import('../rollout/list.ts')).runList(options)),
    );
}

function declareShow(rollout: Command, act: Act): void {
  command(rollout, 'show', 'show one rollout, and what became of its devices')
    .argument('<name>', 'its name; NAMESPACE/NAME works too')
    .option(
      '--state <state>',
      'only devices pending, sent, applied, rejected, expired, skipped or reverted',
    )
    .option('--json', 'as JSON: the rollout with all its devices')
    .addHelpText(
      'after',
      `
Of many devices those are shown that did not do it; --state and --json show others.

Examples:
  limpet rollout show setpoint-k3f9a
  limpet rollout show setpoint-k3f9a --state rejected`,
    )
    .action((name: string, options: RolloutShowOptions) =>
      act(async () => (await import('../rollout/show.ts')).runShow(name, options)),
    );
}

function declareChanges(rollout: Command, act: Act): void {
  const changes = [
    ['pause', 'tell no further device for now'],
    ['resume', 'go on, also after it stopped: failures until now stop it no more'],
    ['revert', 'what was desired before is desired again, where nobody else has changed it since'],
  ] as const;
  for (const [verb, description] of changes) {
    command(rollout, verb, description)
      .argument('<name>', 'its name; NAMESPACE/NAME works too')
      .option('--wait', 'show how far it is until it has ended or stopped')
      .option('--json', 'as JSON')
      .addHelpText('after', `\nExamples:\n  limpet rollout ${verb} setpoint-k3f9a`)
      .action((name: string, options: RolloutChangeOptions) =>
        act(async () => (await import('../rollout/change.ts')).runChange(verb, name, options)),
      );
  }
  command(
    rollout,
    'delete',
    'remove it; a running one tells nobody any more, and nothing is undone',
  )
    .argument('<name>', 'its name; NAMESPACE/NAME works too')
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExamples:\n  limpet rollout delete setpoint-k3f9a')
    .action((name: string, options: RolloutOptions) =>
      act(async () => (await import('../delete.ts')).runDelete({ kind: 'rollout', name }, options)),
    );
}
