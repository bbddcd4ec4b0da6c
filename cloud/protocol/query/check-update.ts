/** UPDATE: what shall be desired, of which devices, and how it is rolled out. */
import type { Json } from '@limpet/dmi';
import { checkValue, isJson, MAX_VALUE_BYTES, nearest } from '@limpet/dmi/manifest';
import type { CheckContext } from './check.ts';
import { ExprChecker } from './check-expr.ts';
import { resolve } from './check-names.ts';
import { QueryError, quoted, type Span } from './error.ts';
import type { Assignment, Literal, RolloutOption, UpdateTree } from './tree.ts';
import type { CheckedUpdate } from './typed.ts';

/** @throws QueryError */
export function checkUpdate(tree: UpdateTree, context: CheckContext): CheckedUpdate {
  const scope = { source: 'devices', catalog: context.catalog } as const;
  if (tree.where === undefined) {
    const message =
      'WHERE is missing: say which devices by WHERE …, or mean all of them by WHERE true';
    throw new QueryError('QUERY_SYNTAX', message, {
      span: tree.source,
      suggestion: 'WHERE true',
    });
  }
  const exprs = new ExprChecker(scope, context.now);
  const where = exprs.condition(tree.where, 'WHERE is about single devices');
  const desired = new Map<string, Json>();
  for (const assignment of tree.assignments) {
    const [property, value] = assigned(assignment, context);
    if (desired.has(property)) {
      throw new QueryError('QUERY_VALUE', `${quoted(property)} is set twice`, { span: assignment });
    }
    desired.set(property, value);
  }
  const span = { offset: tree.source.offset, length: tree.source.length };
  const device = resolve(scope, { kind: 'name', path: ['device'], quoted: false, ...span });
  return {
    kind: 'update',
    explain: tree.explain,
    dryRun: tree.dryRun,
    desired,
    targets: {
      kind: 'select',
      watch: false,
      explain: tree.explain,
      source: 'devices',
      columns: [{ name: 'device', type: 'text', value: device }],
      where,
      grouped: false,
      groups: [],
      order: [],
      now: context.now,
      began: context.now,
    },
    rollout: rolloutOf(tree.options),
  };
}

function assigned(
  { to, value, ...span }: Assignment,
  { catalog }: CheckContext,
): readonly [string, Json] {
  const [first, property, ...rest] = to.path;
  if (first !== 'desired' || typeof property !== 'string' || rest.length > 0) {
    const suggestion = to.path.length === 1 ? `desired.${String(first)}` : 'desired.PROPERTY';
    const message = `only what is desired can be set: ${suggestion} = …`;
    throw new QueryError('QUERY_NAME', message, { span: to, suggestion });
  }
  const known = catalog.property(property);
  if (known === undefined) {
    const suggestion = nearest(property, catalog.names());
    const hint = suggestion === undefined ? '' : ` Did you mean ${quoted(suggestion)}?`;
    throw new QueryError('QUERY_NAME', `no model has a property ${quoted(property)}.${hint}`, {
      span: to,
      suggestion,
    });
  }
  if (!known.writable) {
    const message = `${quoted(property)} is read-only in every model: set one whose access is readWrite`;
    throw new QueryError('QUERY_VALUE', message, { span: to });
  }
  const json = jsonOf(value);
  const faults = [...known.types].map((type) =>
    json === null ? undefined : faultFor(property, type, json),
  );
  const [fault] = faults;
  if (fault !== undefined && faults.every((each) => each !== undefined)) {
    throw new QueryError('QUERY_VALUE', fault, { span });
  }
  return [property, json];
}

function faultFor(
  name: string,
  type: Parameters<typeof checkValue>[0]['type'],
  json: Json,
): string | undefined {
  const checked = checkValue({ name, type }, json);
  return checked.ok ? undefined : checked.message;
}

function jsonOf(literal: Literal): Json {
  switch (literal.kind) {
    case 'null':
      return null;
    case 'number':
      if (!Number.isFinite(literal.value)) {
        throw new QueryError('QUERY_VALUE', 'this is more than can be counted', { span: literal });
      }
      return literal.value + 0;
    case 'text':
    case 'bool':
      return literal.value;
    case 'duration': {
      const message = 'a property holds no durations: write a number or a text';
      throw new QueryError('QUERY_TYPE', message, { span: literal });
    }
    case 'json':
      return parsedJson(literal);
  }
}

function parsedJson(literal: Span & { readonly value: string }): Json {
  let parsed: unknown;
  try {
    parsed = JSON.parse(literal.value);
  } catch (error) {
    throw new QueryError('QUERY_VALUE', `this is no JSON: ${(error as SyntaxError).message}`, {
      span: literal,
    });
  }
  if (isJson(parsed, MAX_VALUE_BYTES)) return parsed;
  throw new QueryError('QUERY_VALUE', 'this JSON is too deep, or holds what JSON cannot carry', {
    span: literal,
  });
}

type Rollout = CheckedUpdate['rollout'];

const OPTIONS: readonly string[] = ['canary', 'batch', 'stop', 'timeout', 'expires'];

function rolloutOf(options: readonly RolloutOption[]): Rollout {
  let rollout: Rollout = {};
  const seen = new Set<string>();
  for (const option of options) {
    const name = option.name.toLowerCase();
    if (seen.has(name))
      throw new QueryError('QUERY_VALUE', `${name} is given twice`, { span: option });
    seen.add(name);
    rollout = { ...rollout, ...partOf(name, option) };
  }
  return rollout;
}

function partOf(name: string, option: RolloutOption): Rollout {
  const { value, unit } = option;
  switch (name) {
    case 'canary':
      if (unit === 'percent' && value >= 1 && value <= 100) return { canary: { percent: value } };
      return { canary: { count: counted(option, 0) } };
    case 'batch':
      return { batch: counted(option) };
    case 'stop':
      return { stopAfter: counted(option) };
    case 'timeout':
      return { timeoutMs: lasting(option) };
    case 'expires':
      return { expiresMs: lasting(option) };
    default: {
      const suggestion = nearest(name, OPTIONS);
      const message = `no option ${quoted(option.name)}: there are canary = 5, canary = 10%, batch = 50, stop after 3 failures, timeout = 5m, expires = 1h`;
      throw new QueryError('QUERY_NAME', message, { span: option, suggestion });
    }
  }
}

function lasting(option: RolloutOption): number {
  const { name, value, unit } = option;
  if (unit === 'duration' && value > 0 && Number.isSafeInteger(value)) return value;
  const message = `${name} takes a duration, such as ${name} = 5m`;
  throw new QueryError('QUERY_VALUE', message, { span: option });
}

function counted(option: RolloutOption, least = 1): number {
  const { name, value, unit } = option;
  if (unit === 'count' && value >= least && Number.isSafeInteger(value)) return value;
  throw new QueryError('QUERY_VALUE', `${name} takes a whole number from ${least}`, {
    span: option,
  });
}
