/** What the two schemas of this mapper share. */
import * as v from 'valibot';

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A duration in ms, from text such as `500ms`, `10s`, `5m`, `1h`. */
export function duration(minimumMs: number, maximumMs: number) {
  const expected = `expected a duration from ${minimumMs}ms to ${maximumMs / 1000}s, such as 500ms, 10s or 5m`;
  return v.pipe(
    v.string(expected),
    v.rawTransform<string, number>(({ dataset, addIssue, NEVER }) => {
      const [, count, unit] = /^(\d{1,9}(?:\.\d+)?)(ms|s|m|h)$/.exec(dataset.value) ?? [];
      const ms = Number(count) * UNITS[(unit ?? 's') as keyof typeof UNITS];
      if (ms >= minimumMs && ms <= maximumMs) return ms;
      addIssue({ message: expected });
      return NEVER;
    }),
  );
}

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

/** The message of a strict object: which field is unknown and which are known, or what is missing. */
export function unknownField(known: string, missing: string) {
  return (issue: v.StrictObjectIssue): string => {
    if (issue.expected === 'never') return `unknown field ${issue.received}; known are ${known}`;
    return issue.path === undefined ? `expected an object with ${known}` : missing;
  };
}

/** One of a few words. */
export function oneOf<const Words extends readonly string[]>(...words: Words) {
  return v.picklist(words, `expected one of ${words.join(', ')}`);
}

export const text = v.pipe(
  v.string('expected text'),
  v.minLength(1, 'expected text that is not empty'),
  v.maxLength(4_096, 'expected at most 4,096 characters'),
);

/** A topic, or a template of one: `home/{name}/state`. */
export const topic = v.pipe(
  text,
  v.check(
    (name) => !/[+#\0]/.test(name) && Buffer.byteLength(name) <= 1024,
    'expected a topic without + and #, at most 1,024 bytes',
  ),
);

export const qos = v.picklist([0, 1, 2], 'expected 0, 1 or 2');

/** What becomes of a value that the broker kept, as nobody knows how old it is. */
export const retained = oneOf('use', 'ignore', 'stale');
export type Retained = v.InferOutput<typeof retained>;
