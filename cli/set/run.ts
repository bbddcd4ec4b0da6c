/** `limpet set`. */
import { checkOrder, type Desired, duration } from '@limpet/dmi/manifest';
import type { Api } from '../api.ts';
import { CliError, usage } from '../cli-error.ts';
import { withApi } from '../client.ts';
import { modelOf } from '../get/run.ts';
import { type Output, processOutput } from '../output.ts';
import { valueText } from '../render/words.ts';
import type { SetOptions } from '../verbs/set.ts';
import { STAGES } from './progress.ts';
import { type Order, type Outcome, setAndWait } from './set-and-wait.ts';
import { parsePlace, parseValue } from './value.ts';

export async function runSet(
  words: { readonly place: string; readonly value: string },
  options: SetOptions,
): Promise<number> {
  const place = parsePlace(words.place, options.namespace);
  const timeoutMs = milliseconds('--timeout', options.timeout);
  const expires =
    options.expires === undefined ? {} : { expiresMs: milliseconds('--expires', options.expires) };
  const output = processOutput(options.json === true);
  return withApi(options, async (api) => {
    const order = { ...place, value: await valueOf(api, place, words.value), ...expires };
    const told = stageTeller(output);
    const outcome = await setAndWait(api, order, { wait: options.wait, timeoutMs, seen: told });
    return conclude(outcome, { order, options, output });
  });
}

/** The value, checked against the device's model before anything is sent. */
async function valueOf(
  api: Api,
  { namespace, name, property }: Omit<Order, 'value'>,
  text: string,
): Promise<Order['value']> {
  const device = await api.get({ kind: 'Device', namespace, name });
  const model = device.kind === 'Device' ? await modelOf(api, device) : undefined;
  if (model === undefined) {
    throw new CliError(
      1,
      'MODEL_UNKNOWN',
      `device ${namespace}/${name} has a model that is not there: apply the model first.`,
    );
  }
  const checked = checkOrder(model, property, parseValue(model, property, text));
  if (checked.ok) return checked.value;
  throw new CliError(1, checked.code, checked.message);
}

/** Prints each stage once, as it comes, with how long after the first it came. */
function stageTeller(output: Output): (desired: Desired) => void {
  const told = new Set<string>();
  return ({ stages, rev }) => {
    for (const stage of STAGES) {
      const at = stages[stage];
      if (at === undefined || told.has(stage)) continue;
      told.add(stage);
      const afterMs = Date.parse(at) - Date.parse(stages.accepted);
      if (output.json) output.printJson({ stage, at, afterMs, rev });
      else
        output.print(`${stage.padEnd(9)}  ${at}${stage === 'accepted' ? '' : `  +${afterMs} ms`}`);
    }
  };
}

interface Context {
  readonly order: Order;
  readonly options: SetOptions;
  readonly output: Output;
}

function conclude(outcome: Outcome, { order, options, output }: Context): number {
  const name = `${order.namespace}/${order.name}.${order.property}`;
  switch (outcome.kind) {
    case 'withdrawn':
      if (output.json) output.printJson({ property: name, result: 'withdrawn' });
      else output.print(`${name}: nothing is wanted any more`);
      return 0;
    case 'reached': {
      const { verdict, rev, value } = outcome.desired;
      if (output.json)
        output.printJson({ property: name, result: options.wait, verdict, rev, value });
      else
        output.print(
          `${name} = ${valueText(value)}: ${verdict === 'applied' ? 'applied' : options.wait}`,
        );
      return 0;
    }
    case 'refused': {
      const { verdict, reason } = outcome.desired;
      const why = reason === undefined ? '' : ` (${reason.code}: ${reason.message})`;
      throw new CliError(1, verdict.toUpperCase(), `${name}: ${verdict}${why}`);
    }
    case 'superseded': {
      const value = valueText(outcome.desired.value);
      throw new CliError(
        1,
        'SUPERSEDED',
        `${name}: a newer order replaced this one; wanted is now ${value} (rev ${outcome.desired.rev}).`,
      );
    }
    case 'deleted':
      throw new CliError(1, 'DELETED', `${name}: the device was deleted meanwhile.`);
    case 'late':
      throw tooLate(name, outcome.device, { order, options });
  }
}

function tooLate(
  name: string,
  { spec, status }: Extract<Outcome, { kind: 'late' }>['device'],
  { order, options }: Omit<Context, 'output'>,
): CliError {
  const desired = status?.twin[order.property]?.desired;
  const last = STAGES.findLast((stage) => desired?.stages[stage] !== undefined) ?? 'accepted';
  const state = status === undefined ? `not yet seen by its node ${spec.node}` : status.state;
  const reason =
    status?.reason === undefined ? '' : ` (${status.reason.code}: ${status.reason.message})`;
  return new CliError(
    1,
    'TIMEOUT',
    `${name}: not ${options.wait} within ${options.timeout}; it is ${last}, and the device is ${state}${reason}. The order stands: see "limpet get device ${order.namespace}/${order.name}".`,
  );
}

function milliseconds(option: string, text: string): number {
  const ms = duration(text);
  if (ms !== undefined && ms > 0 && ms <= 2_147_483_647) return ms;
  throw usage(
    `${option} must be a duration such as 500ms, 30s or 5m, at most 24d; found "${text}".`,
  );
}
