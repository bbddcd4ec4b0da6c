/** Building blocks of our own schemas: strict objects, and messages that say what to do. */
import * as v from 'valibot';
import { jsonFault, kindOf } from './json.ts';
import { suggestion } from './nearest.ts';

type Entries = v.ObjectEntries;
type Issue = v.BaseIssue<unknown>;

/** The message `must be PHRASE; found KIND`, for any valibot schema or check. */
export function must(phrase: string): (issue: Issue) => string {
  return (issue) => `must be ${phrase}; found ${kindOf(issue.input)}`;
}

/** The message of schemas that bring none of their own: pass it in valibot's config. */
export function plainMessage(issue: Issue): string {
  const words: Record<string, string> = {
    string: 'text',
    number: 'a number',
    boolean: 'true or false',
    Object: 'an object',
    Array: 'a list',
  };
  const expected = issue.expected ?? 'a valid value';
  return must(words[expected] ?? expected)(issue);
}

/** Text that passes `test`; `phrase` says which, for people. */
export function text(
  phrase: string,
  test: (value: string) => boolean,
): v.GenericSchema<string, string> {
  return v.pipe(v.string(must(phrase)), v.check(test, must(phrase)), v.description(phrase));
}

/** One of a few words; names the nearest one on a slip, and the right one of those that are called otherwise elsewhere. */
export function oneOf<const Word extends string>(
  words: readonly Word[],
  elsewhere: Readonly<Record<string, Word>> = {},
): v.GenericSchema<unknown, Word> {
  const phrase = `one of ${words.join(', ')}`;
  return v.pipe(
    v.unknown(),
    v.picklist(words, (issue) => {
      return `${must(phrase)(issue)}.${hintFor(issue.input, words, elsewhere)}`;
    }),
    v.description(phrase),
  );
}

function hintFor(
  input: unknown,
  words: readonly string[],
  elsewhere: Readonly<Record<string, string>>,
): string {
  if (typeof input !== 'string') return '';
  const word = Object.entries(elsewhere).find(([other]) => other === input.toLowerCase())?.[1];
  return word === undefined ? suggestion(input, words) : ` Did you mean "${word}"?`;
}

/** An object with `entries` and nothing else. Unknown fields are all refused by name, with the nearest known one. */
export function exact<const E extends Entries>(
  entries: E,
): v.GenericSchema<unknown, v.InferOutput<v.ObjectSchema<E, undefined>>> {
  const known = Object.keys(entries);
  const schema = v.pipe(
    v.looseObject(entries, (issue) => {
      const key = issue.path?.[0].key;
      if (typeof key !== 'string') return must('an object')(issue);
      const entry = entries[key];
      const what = entry === undefined ? undefined : v.getDescription(entry as v.GenericSchema);
      return `is missing: add it${what === undefined ? '' : `, ${what}`}`;
    }),
    v.rawCheck(({ dataset, addIssue }) => {
      const input: unknown = dataset.value;
      if (typeof input !== 'object' || input === null) return;
      for (const [key, value] of Object.entries(input)) {
        if (Object.hasOwn(entries, key)) continue;
        const hint = suggestion(key, known) || ` Known here: ${known.join(', ')}.`;
        addIssue({
          expected: 'never',
          message: `is not a field that is known here: remove it or mend its name.${hint}`,
          path: [
            {
              type: 'object',
              origin: 'key',
              input: input as Record<string, unknown>,
              key,
              value,
            },
          ],
        });
      }
    }),
  );
  return schema as unknown as ReturnType<typeof exact<E>>;
}

/** An object of any JSON, of which nothing more is known here. */
export function jsonObject(
  phrase: string,
): v.GenericSchema<unknown, Readonly<Record<string, unknown>>> {
  return v.pipe(
    v.custom<Readonly<Record<string, unknown>>>(
      (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
      must(phrase),
    ),
    v.description(phrase),
  );
}

/** An RFC 1123 label, as Kubernetes names things. */
export function isLabel(value: string): boolean {
  return value.length <= 63 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(value);
}

/** Why `value` is not a document of at most `maxBytes`; keys that JavaScript treats specially are refused. */
export function documentFault(value: unknown, maxBytes: number): string | undefined {
  const odd = jsonFault(value, maxBytes);
  if (odd !== undefined) return odd.message;
  const key = reservedKey(value);
  return key === undefined ? undefined : `must not use "${key}" as a name: choose another`;
}

const RESERVED = new Set(['__proto__', 'constructor', 'prototype']);

function reservedKey(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, item] of Object.entries(value)) {
    const found = RESERVED.has(key) ? key : reservedKey(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether a property may be called this. */
export function isPropertyName(value: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_-]{0,62}$/.test(value) && !RESERVED.has(value);
}
