/** What makes the spec of a rollout well formed; its query is for whoever knows the language. */
import * as v from 'valibot';
import { duration } from './duration.ts';
import { exact, jsonObject, must, text } from './schema.ts';

const MOST_DEVICES = 1_000_000;
const MOST_AT_A_TIME = 1_000;
const LONGEST_MS = 30 * 86_400_000;
/** As much as a query may be. */
const LONGEST_TEXT = 16_384;

const period = text('a duration from 1s to 30d, such as "30s" or "5m"', (value) => {
  const ms = duration(value);
  return ms !== undefined && ms >= 1_000 && ms <= LONGEST_MS;
});

const sentence = (phrase: string) =>
  text(phrase, (value) => value.trim() !== '' && value.length <= LONGEST_TEXT);

const flag = v.optional(v.boolean(must('true or false')));

function whole(from: number, to: number): v.GenericSchema<unknown, number> {
  const phrase = `a whole number from ${from} to ${to}`;
  return v.pipe(
    v.unknown(),
    v.custom<number>((value) => {
      return Number.isInteger(value) && Number(value) >= from && Number(value) <= to;
    }, must(phrase)),
    v.description(phrase),
  );
}

const canary = v.union(
  [whole(0, MOST_DEVICES), text('a share', (value) => /^(100|[1-9]\d?)%$/.test(value))],
  must('a number of devices from 0, or a share from "1%" to "100%"'),
);

/** @see RolloutSpec */
export const rolloutSpec: v.GenericSchema = v.pipe(
  exact({
    query: v.optional(sentence('an UPDATE such as "UPDATE devices SET desired.x = 1 WHERE …"')),
    set: v.optional(jsonObject('an object of property: value')),
    where: v.optional(sentence('a condition such as "model = \'boiler\'"')),
    canary: v.optional(canary),
    batch: v.optional(whole(1, MOST_AT_A_TIME)),
    maxFailures: v.optional(whole(1, MOST_DEVICES)),
    timeout: v.optional(period),
    expires: v.optional(period),
    withdraw: flag,
    paused: flag,
    revert: flag,
  }),
  v.rawCheck(({ dataset, addIssue }) => {
    const input = dataset.value as Record<string, unknown> | undefined;
    if (typeof input !== 'object' || input === null) return;
    const fault = partsFault(input);
    if (fault === undefined) return;
    const [key, message] = fault;
    addIssue({
      message,
      path: [{ type: 'object', origin: 'value', input, key, value: input[key] }],
    });
  }),
);

/** Either the query or its parts. */
function partsFault(spec: Record<string, unknown>): readonly [string, string] | undefined {
  const { query, set, where } = spec;
  if (query !== undefined) {
    if (set === undefined && where === undefined) return undefined;
    return ['query', 'must stand alone: give the query, or set and where'];
  }
  if (set === undefined && where === undefined) {
    return ['query', 'is missing: add it, or what to set and where'];
  }
  if (set === undefined) return ['set', 'is missing: add what shall be desired'];
  if (where === undefined) {
    return ['where', 'is missing: say which devices; "true" is all of them'];
  }
  return undefined;
}
