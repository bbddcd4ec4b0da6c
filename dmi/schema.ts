/** `@limpet/dmi/schema`: what the schemas of many mappers need, for valibot. */
import * as v from 'valibot';

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A whole number from `minimum` to `maximum`. */
export function range(minimum: number, maximum: number): v.GenericSchema<number> {
  const message = `expected a whole number from ${minimum} to ${maximum}`;
  return v.pipe(
    v.number(message),
    v.integer(message),
    v.minValue(minimum, message),
    v.maxValue(maximum, message),
  );
}

/** A duration such as `500ms`, `1.5s` or `5m`, as milliseconds; the limits are written so too. */
export function duration(minimum: string, maximum: string): v.GenericSchema<string, number> {
  const [least, most] = [milliseconds(minimum) ?? 0, milliseconds(maximum) ?? Infinity];
  const message = `expected a duration from ${minimum} to ${maximum}, such as 500ms, 10s or 5m`;
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

/** The schema, with what it is for and what might stand there: `limpet mapper describe` tells it. */
export function told<Input, Output>(
  schema: v.GenericSchema<Input, Output>,
  description: string,
  ...examples: Input[]
): v.GenericSchema<Input, Output> {
  const described = v.pipe(schema, v.description(description));
  return examples.length === 0 ? described : v.pipe(described, v.examples(examples as never));
}

/** In a pipe: what is wrong with fields of which each is right by itself. */
export function together<Fields>(
  faults: (fields: Fields) => readonly string[],
): v.RawCheckAction<Fields> {
  return v.rawCheck<Fields>(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    for (const message of faults(dataset.value)) addIssue({ message });
  });
}

/** The message of a strict object: which field is unknown and which are known, or what is missing. */
export function unknownField(known: string, missing: string) {
  return (issue: v.StrictObjectIssue): string => {
    if (issue.expected === 'never') return `unknown field ${issue.received}; known are ${known}`;
    return issue.path === undefined ? `expected an object with ${known}` : missing;
  };
}

function milliseconds(text: string): number | undefined {
  const [, count, unit] = /^(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)$/.exec(text) ?? [];
  return count === undefined ? undefined : Number(count) * UNITS[unit as keyof typeof UNITS];
}
