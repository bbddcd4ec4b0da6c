/** What the two schemas of this mapper share. */
import * as v from 'valibot';

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
