/** The one command `limpet`: argument parsing. Each verb loads what it needs only when it runs. */
import { Command, CommanderError } from 'commander';
import { endQuietlyOnClosedPipe, report } from './output.ts';
import { declareApply } from './verbs/apply.ts';
import { declareBudget } from './verbs/budget.ts';
import { declareCall } from './verbs/call.ts';
import { declareCapture, declareReplay } from './verbs/capture.ts';
import { declareCloud } from './verbs/cloud.ts';
import { declareDelete } from './verbs/delete.ts';
import { declareDemo } from './verbs/demo.ts';
import { declareDev } from './verbs/dev.ts';
import { declareDiscover } from './verbs/discover.ts';
import { declareEdge } from './verbs/edge.ts';
import { declareGet } from './verbs/get.ts';
import { declareHistory } from './verbs/history.ts';
import { declareMapper } from './verbs/mapper.ts';
import { declareOpcua } from './verbs/opcua.ts';
import { declareRollout } from './verbs/rollout.ts';
import { declareQuery } from './verbs/query.ts';
import { declareSamples } from './verbs/samples.ts';
import { declareSet } from './verbs/set.ts';
import { declareTop } from './verbs/top.ts';
import type { Act } from './verbs/verb.ts';
import { declareVersion } from './verbs/version.ts';
import { declareWatch } from './verbs/watch.ts';
import { declareWhy } from './verbs/why.ts';

/** Runs one command line; resolves with the exit code. */
export async function run(args: readonly string[]): Promise<number> {
  endQuietlyOnClosedPipe();
  let exit = 0;
  const act: Act = async (task) => {
    exit = await task();
  };
  const program = declare(act);
  const json = wantsJson(args);
  if (json) silence(program);
  try {
    await program.parseAsync(args, { from: 'user' });
    return exit;
  } catch (error) {
    if (!(error instanceof CommanderError)) return report(error, json);
    if (error.exitCode === 0) return 0;
    // Commander has said it, unless JSON is wanted.
    if (json) {
      const message = error.message.replace(/^error: /, '').replace(/\n/g, ' ');
      process.stderr.write(`${JSON.stringify({ error: { code: 'USAGE', message } })}\n`);
    }
    return 2;
  }
}

/** Errors are then said as JSON, and only once. */
function silence(command: Command): void {
  command.configureOutput({ writeErr: () => {} });
  command.commands.forEach(silence);
}

function declare(act: Act): Command {
  const program = new Command('limpet')
    .description('An edge runtime for single-board computers, and the cloud that goes with it.')
    .exitOverride()
    .showSuggestionAfterError(true)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'limpet: ')) })
    .helpCommand(false);
  declareDemo(program, act);
  declareCloud(program, act);
  declareEdge(program, act);
  declareDiscover(program, act);
  declareApply(program, act);
  declareGet(program, act);
  declareSet(program, act);
  declareRollout(program, act);
  declareCall(program, act);
  declareCapture(program, act);
  declareReplay(program, act);
  declareHistory(program, act);
  declareSamples(program, act);
  declareQuery(program, act);
  declareWatch(program, act);
  declareWhy(program, act);
  declareTop(program, act);
  declareBudget(program, act);
  declareDelete(program, act);
  declareMapper(program, act);
  declareOpcua(program, act);
  declareVersion(program, act);
  declareDev(program, act);
  program.addHelpText(
    'after',
    `
Examples:
  limpet demo                                     a cloud, an edge node and a small plant, live
  limpet get devices                              every device of the cloud on this machine
  limpet get device boiler-1 -w                   its twin, as it changes
  limpet set boiler-1.setpoint 60 --wait confirmed

Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 78 wrong configuration.`,
  );
  return program;
}

/** Whether errors are to be JSON: asked before parsing, for parsing may fail. */
function wantsJson(args: readonly string[]): boolean {
  return args.some((arg, index) => {
    return (
      arg === '--json' ||
      /^(-o=?|--output=)json$/.test(arg) ||
      (isOutput(arg) && args[index + 1] === 'json')
    );
  });
}

function isOutput(arg: string): boolean {
  return arg === '-o' || arg === '--output';
}
