/** What the two schemas of this mapper share: whole numbers in a range, and naming the field that is wrong. */
import * as v from 'valibot';

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

/** The schema, with what it is for and what might stand there: `limpet mapper describe` tells it. */
export function told<Input, Output>(
  schema: v.GenericSchema<Input, Output>,
  description: string,
  ...examples: Input[]
) {
  return v.pipe(schema, v.description(description), v.examples(examples as never));
}

/** The message of a strict object: which field is unknown and which are known, or what is missing. */
export function unknownField(known: string, missing: string) {
  return (issue: v.StrictObjectIssue): string => {
    if (issue.expected === 'never') return `unknown field ${issue.received}; known are ${known}`;
    return issue.path === undefined ? `expected an object with ${known}` : missing;
  };
}
