/** Functions: what a property is like besides its value, what the time is, and what many rows come to. */
import { nearest } from '@limpet/dmi/manifest';
import { propertyRef, type Scope } from './check-names.ts';
import { QueryError, quoted } from './error.ts';
import type { Call, Expr } from './tree.ts';
import type {
  Aggregate,
  AggregateOf,
  Kind,
  Path,
  PropertyRef,
  Source,
  StateOf,
  Value,
} from './typed.ts';

export interface CallContext extends Scope {
  readonly now: number;
  /** Whether an aggregate may stand here; if not, why. */
  readonly aggregates: true | string;
  /** Checks an argument, in which no aggregate may stand. */
  argument(expr: Expr): Value;
}

const STATES: Readonly<Record<StateOf, Kind>> = {
  quality: 'text',
  at: 'time',
  age: 'duration',
  drift: 'bool',
  verdict: 'text',
  reason: 'text',
};

const AGGREGATES: readonly AggregateOf[] = ['count', 'min', 'max', 'avg', 'sum', 'percentile'];

const FUNCTIONS: readonly string[] = [...Object.keys(STATES), ...AGGREGATES, 'now'];

/** @throws QueryError QUERY_NAME, QUERY_TYPE, QUERY_GROUP, QUERY_VALUE */
export function checkCall(context: CallContext, call: Call): Value {
  const name = call.name.toLowerCase();
  if (name === 'now') {
    expectArguments(call, 0);
    return { op: 'literal', kind: 'time', value: context.now };
  }
  if (Object.hasOwn(STATES, name)) return stateOf(context, call, name as StateOf);
  const aggregate = AGGREGATES.find((each) => each === name);
  if (aggregate !== undefined) return aggregateOf(context, call, aggregate);
  const suggestion = nearest(name, FUNCTIONS);
  const meant = suggestion === undefined ? '' : `. Did you mean ${suggestion}()?`;
  const message = `no function ${quoted(call.name)}; there are ${FUNCTIONS.join(', ')}${meant}`;
  throw new QueryError('QUERY_NAME', message, { span: call, suggestion });
}

function stateOf(context: CallContext, call: Call, state: StateOf): Value {
  const [argument] = expectArguments(call, 1);
  const of = propertyOf(context, call, argument);
  return { op: 'state', kind: STATES[state], state, of };
}

/** A function of a property takes its name, not its value. */
function propertyOf(context: CallContext, call: Call, argument: Expr | undefined): PropertyRef {
  const { source } = context;
  if (source !== 'devices' && source !== 'properties') {
    const message = `${call.name}() is of a property, and ${source} have none`;
    throw new QueryError('QUERY_TYPE', message, { span: call });
  }
  const name = source === 'devices' ? 'temperature' : 'value';
  const first = argument?.kind === 'name' ? onlyStep(source, argument.path) : undefined;
  if (argument === undefined || first === undefined) {
    const message = `${call.name}() takes the name of a property, such as ${call.name}(${name})`;
    throw new QueryError('QUERY_TYPE', message, { span: argument ?? call });
  }
  if (source === 'devices') return propertyRef(context, first, argument);
  if (first === 'value') return 'row';
  const suggestion = `${call.name}(value)`;
  const message = `FROM properties has a row for each property: write ${suggestion}, and WHERE property = '${first}'`;
  throw new QueryError('QUERY_NAME', message, { span: argument, suggestion });
}

/** The name alone, or after `properties.` */
function onlyStep(source: Source, path: Path): string | undefined {
  const own =
    source === 'devices' && path.length === 2 && path[0] === 'properties' ? path.slice(1) : path;
  const [first] = own;
  return own.length === 1 && first !== undefined ? String(first) : undefined;
}

function aggregateOf(context: CallContext, call: Call, fn: AggregateOf): Aggregate {
  refuseMisplaced(context, call, fn);
  if (call.star || (fn === 'count' && call.args.length === 0 && !call.distinct)) {
    if (fn === 'count') return { op: 'aggregate', kind: 'number', fn, distinct: false };
    throw new QueryError('QUERY_TYPE', `${fn}() is of a value: only count(*) is of rows`, {
      span: call,
    });
  }
  const [argument, percent] = expectArguments(call, fn === 'percentile' ? 2 : 1);
  const of = context.argument(argument ?? call);
  const kind = aggregateKind(fn, of.kind);
  if (kind === undefined) {
    const message = `${fn}() is of numbers, and this is ${KIND_WORDS[of.kind]}`;
    throw new QueryError('QUERY_TYPE', message, { span: argument ?? call });
  }
  const fraction = fn === 'percentile' ? { fraction: fractionOf(call, percent) } : {};
  return { op: 'aggregate', kind, fn, of, distinct: call.distinct, ...fraction };
}

function refuseMisplaced({ aggregates }: CallContext, call: Call, fn: AggregateOf): void {
  if (aggregates !== true) {
    const message = `${fn}() cannot stand here: ${aggregates}`;
    throw new QueryError('QUERY_GROUP', message, { span: call });
  }
  if (!call.distinct || fn === 'count') return;
  const message = 'DISTINCT stands only in count(DISTINCT x)';
  throw new QueryError('QUERY_TYPE', message, { span: call });
}

/** What values are called in messages. */
export const KIND_WORDS: Readonly<Record<Kind, string>> = {
  number: 'a number',
  text: 'a text',
  bool: 'true or false',
  time: 'a time',
  duration: 'a duration',
  any: 'a JSON value',
  json: 'a JSON object',
};

function aggregateKind(fn: AggregateOf, of: Kind): Kind | undefined {
  if (fn === 'count') return 'number';
  const numeric = of === 'number' || of === 'any' || of === 'bool';
  if (fn === 'min' || fn === 'max') {
    if (of === 'text' || of === 'time' || of === 'duration') return of;
    return numeric ? 'number' : undefined;
  }
  if (of === 'duration') return of;
  return numeric ? 'number' : undefined;
}

function fractionOf(call: Call, percent: Expr | undefined): number {
  refuseShare(percent);
  if (percent?.kind === 'number' && percent.value >= 0 && percent.value <= 100)
    return percent.value / 100;
  throw new QueryError('QUERY_VALUE', PERCENTILE, { span: percent ?? call });
}

/** Other languages take shares: 0.95 would be nearly the least here, and nobody would notice. */
function refuseShare(percent: Expr | undefined): void {
  if (percent?.kind !== 'number' || percent.value <= 0 || percent.value >= 1) return;
  const suggestion = String(Math.round(percent.value * 1e8) / 1e6);
  const message = `${PERCENTILE}: for ${percent.value} of all write ${suggestion}`;
  throw new QueryError('QUERY_VALUE', message, { span: percent, suggestion });
}

const PERCENTILE =
  'percentile(x, p) takes p from 1 to 100, or 0, such as percentile(temperature, 95)';

function expectArguments(call: Call, count: number): readonly Expr[] {
  if (call.args.length === count && !call.star) return call.args;
  const wanted = count === 0 ? 'nothing' : count === 1 ? 'one argument' : `${count} arguments`;
  const such =
    call.name.toLowerCase() === 'percentile' ? ', such as percentile(temperature, 95)' : '';
  throw new QueryError('QUERY_TYPE', `${call.name}() takes ${wanted}${such}`, { span: call });
}
