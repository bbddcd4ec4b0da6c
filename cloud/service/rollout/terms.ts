/** From the spec of a rollout to what it is to do. */
import { isDeepStrictEqual } from 'node:util';
import type { Json } from '@limpet/dmi';
import { duration, type RolloutSpec } from '@limpet/dmi/manifest';
import { ApiError, type Cause, invalid, type Target } from '#protocol/api';
import type { QueryFault } from '#protocol/query';
import type { Terms } from '../store/rollouts.ts';
import type { Update } from './choose.ts';

/** Properties that one rollout sets. */
const MOST_PROPERTIES = 16;

const DEFAULTS = { canary: 1, batch: 50, maxFailures: 1, timeoutMs: 60_000 };

/** The whole UPDATE. Its options are not in it where it was given in parts. */
export function queryOf({ query, set = {}, where = '' }: RolloutSpec): string {
  if (query !== undefined) return query;
  // A comment in the condition ends with its line.
  return `${beforeWhere(set)}${where}\n)`;
}

function beforeWhere(set: NonNullable<RolloutSpec['set']>): string {
  const assigned = Object.entries(set).map(([name, value]) => {
    return `desired."${name.replaceAll('"', '')}" = ${literal(value)}`;
  });
  return `UPDATE devices SET ${assigned.join(', ')} WHERE (`;
}

/** The fault of a query as one of the spec's, at its place there. */
export function faultIn(spec: RolloutSpec, { code, message, details }: ApiError): ApiError {
  const before = spec.query === undefined ? beforeWhere(spec.set ?? {}).length : 0;
  const causes = (details.causes ?? []).map((cause) => {
    const { field: _, ...fault } = cause as Cause & Partial<QueryFault>;
    const { offset = 0, line, column = 1 } = fault;
    if (spec.query !== undefined) return { field: 'spec.query', ...fault };
    if (offset < before) {
      return { field: 'spec.set', reason: fault.reason, message: fault.message };
    }
    const moved = line === 1 ? { column: column - before } : {};
    return { field: 'spec.where', ...fault, offset: offset - before, ...moved };
  });
  const [first] = causes;
  const where = first === undefined ? message : `${first.field}: ${first.message}`;
  return new ApiError(code === 400 ? 'BadRequest' : 'Invalid', where, { ...details, causes });
}

function literal(value: Json): string {
  if (value === null) return 'NULL';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return typeof value === 'string' ? quoted(value) : `JSON ${quoted(JSON.stringify(value))}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** `update`: what the query says, read. @throws ApiError Invalid with every fault */
export function termsOf(target: Target, spec: RolloutSpec, update: Update): Terms {
  const causes = [...causesIn(spec, update)];
  if (causes.length > 0) throw invalid(target, causes);
  const { withdraw = false, paused = false, revert = false } = spec;
  return {
    query: queryOf(spec),
    set: Object.fromEntries(update.set),
    canary: canaryOf(spec.canary) ?? countOf(update.canary) ?? DEFAULTS.canary,
    ...pace(spec, update),
    withdraw,
    paused,
    revert,
  };
}

function pace(spec: RolloutSpec, update: Update) {
  const { batch = DEFAULTS.batch, stopAfter = DEFAULTS.maxFailures } = update;
  const { timeoutMs = DEFAULTS.timeoutMs, expiresMs } = update;
  const expires = spec.expires === undefined ? expiresMs : duration(spec.expires);
  const timeout = spec.timeout === undefined ? timeoutMs : duration(spec.timeout);
  return {
    batch: spec.batch ?? batch,
    maxFailures: spec.maxFailures ?? stopAfter,
    timeoutMs: timeout ?? timeoutMs,
    ...(expires !== undefined && { expiresMs: expires }),
  };
}

function canaryOf(canary: RolloutSpec['canary']): Terms['canary'] | undefined {
  return typeof canary === 'string' ? { percent: Number.parseInt(canary, 10) } : canary;
}

function countOf(canary: Update['canary']): Terms['canary'] | undefined {
  return canary !== undefined && 'count' in canary ? canary.count : canary;
}

function* causesIn(spec: RolloutSpec, update: Update): Generator<Cause> {
  if (update.set.size > MOST_PROPERTIES) {
    const message = `must set at most ${MOST_PROPERTIES} properties`;
    yield { field: 'spec', reason: 'TOO_MANY', message };
  }
  const { set } = spec;
  if (set !== undefined && !isDeepStrictEqual(Object.fromEntries(update.set), set)) {
    const message = 'must be an object of property: value';
    yield { field: 'spec.set', reason: 'FieldValueInvalid', message };
  }
  if (update.dryRun) {
    const message = 'must not say DRY RUN: ask with ?dryRun=All instead';
    yield { field: 'spec.query', reason: 'FieldValueInvalid', message };
  }
  for (const [option, value, given] of optionsIn(spec, update)) {
    if (value === undefined || given === undefined) continue;
    const message = 'is given twice: here and in the query; remove one';
    yield { field: `spec.${option}`, reason: 'FieldValueDuplicate', message };
  }
  for (const [option, value, most] of [
    ['batch', update.batch, 1_000],
    ['timeout', update.timeoutMs, 30 * 86_400_000],
    ['expires', update.expiresMs, 30 * 86_400_000],
  ] as const) {
    if (value === undefined || value <= most) continue;
    const message = `${option} must be at most ${option === 'batch' ? most : '30d'}`;
    yield { field: 'spec.query', reason: 'FieldValueInvalid', message };
  }
}

function optionsIn(spec: RolloutSpec, update: Update) {
  return [
    ['canary', update.canary, spec.canary],
    ['batch', update.batch, spec.batch],
    ['maxFailures', update.stopAfter, spec.maxFailures],
    ['timeout', update.timeoutMs, spec.timeout],
    ['expires', update.expiresMs, spec.expires],
  ] as const;
}

const FIXED = ['query', 'set', 'where', 'canary', 'expires', 'withdraw'] as const;

/** What may not change once a rollout has begun. @throws ApiError Invalid */
export function refuseChanges(target: Target, before: RolloutSpec, after: RolloutSpec): void {
  const causes: Cause[] = FIXED.filter((field) => {
    return !isDeepStrictEqual(before[field], after[field]);
  }).map((field) => {
    const message = 'is fixed once the rollout exists: delete it and create another';
    return { field: `spec.${field}`, reason: 'FieldValueInvalid', message };
  });
  if (before.revert === true && after.revert !== true) {
    const message = 'cannot be taken back: create another rollout';
    causes.push({ field: 'spec.revert', reason: 'FieldValueInvalid', message });
  }
  if (causes.length > 0) throw invalid(target, causes);
}
