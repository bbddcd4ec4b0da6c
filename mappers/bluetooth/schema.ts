/** What the schemas of this mapper share: numbers in a range, durations, bytes in hex, and naming the field that is wrong. */
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

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A duration such as `500ms`, in ms. */
export function duration(minimumMs: number, maximumMs: number, example: string) {
  return v.pipe(
    v.string(`expected a duration such as ${example}`),
    v.rawTransform<string, number>(({ dataset, addIssue, NEVER }) => {
      const [, count, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(dataset.value) ?? [];
      const ms = Number(count) * UNITS[(unit ?? 's') as keyof typeof UNITS];
      if (ms >= minimumMs && ms <= maximumMs) return ms;
      addIssue({
        message: `expected a duration from ${minimumMs} to ${maximumMs} ms, such as ${example}`,
      });
      return NEVER;
    }),
  );
}

/** Bytes as hexadecimal digits in pairs, e.g. `0215` or `02 15`. */
export function hex(maximumBytes: number) {
  const message = `expected 1 to ${maximumBytes} bytes as pairs of hexadecimal digits, in quotes, such as "0215"`;
  return v.pipe(
    v.string(message),
    v.regex(/^([0-9a-fA-F]{2}[ :]?)+$/, message),
    v.transform((text) => Uint8Array.from(Buffer.from(text.replaceAll(/[ :]/g, ''), 'hex'))),
    v.check((bytes) => bytes.length <= maximumBytes, message),
  );
}

/** The message of a strict object: which field is unknown and which are known, or what is missing. */
export function unknownField(known: string, missing: string) {
  return (issue: v.StrictObjectIssue): string => {
    if (issue.expected === 'never') return `unknown field ${issue.received}; known are ${known}`;
    return issue.path === undefined ? `expected an object with ${known}` : missing;
  };
}
