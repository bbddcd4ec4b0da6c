/** What the schemas of this mapper share: numbers in a range, durations, and naming the field that is wrong. */
import * as v from 'valibot';

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A whole number from `minimum` to `maximum`. */
export function range(minimum: number, maximum: number) {
  const message = `expected a whole number from ${minimum} to ${maximum}`;
  return v.pipe(
    v.number(message),
    v.integer(message),
    v.minValue(minimum, message),
    v.maxValue(maximum, message),
  );
}

/** A duration such as `500ms` or `2s`, as milliseconds. */
export function duration(minimum: string, maximum: string) {
  const [least, most] = [milliseconds(minimum) ?? 0, milliseconds(maximum) ?? Infinity];
  const message = `expected a duration from ${minimum} to ${maximum}, such as 500ms or 2s`;
  return v.pipe(
    v.string(message),
    v.rawTransform<string, number>(({ dataset, addIssue, NEVER }) => {
      const ms = milliseconds(dataset.value);
      if (ms !== undefined && ms >= least && ms <= most) return ms;
      addIssue({ message });
      return NEVER;
    }),
  );
}

/** The message of a strict object: which field is unknown and which are known, or what is missing. */
export function unknownField(known: string, missing: string) {
  return (issue: v.StrictObjectIssue): string => {
    if (issue.expected === 'never') return `unknown field ${issue.received}; known are ${known}`;
    return issue.path === undefined ? `expected an object with ${known}` : missing;
  };
}

function milliseconds(text: string): number | undefined {
  const [, count, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  return count === undefined ? undefined : Number(count) * UNITS[unit as keyof typeof UNITS];
}
