/** JSON pointers (RFC 6901), and JSON with one `{}` in it for a value: pure, both ways. */
import type { Json } from '../value.ts';

type Fields = { readonly [key: string]: Json };

/** Whether it is a pointer: empty, or `/` before each step. */
export function isPointer(text: string): boolean {
  return /^(\/([^~/]|~[01])*)*$/.test(text);
}

/** What stands there; `undefined` when nothing does. */
export function at(document: Json, pointer: string): Json | undefined {
  let here: Json | undefined = document;
  for (const step of steps(pointer)) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) return undefined;
    if (Array.isArray(here) && !/^\d+$/.test(step)) return undefined;
    here = (here as Fields)[step];
  }
  return here;
}

/** The document with `value` there; objects and lists on the way are made. */
export function put(document: Json | undefined, pointer: string, value: Json): Json {
  return placed(document, steps(pointer), value);
}

/** What stands at `"{}"` in JSON made by this template; `undefined` when the rest differs. */
export function extract(template: Json, document: Json): Json | undefined {
  if (template === '{}') return document;
  if (typeof template !== 'object' || template === null) return undefined;
  if (typeof document !== 'object' || document === null) return undefined;
  const [pattern, fields] = [template as Fields, document as Fields];
  let found: Json | undefined;
  for (const [key, part] of Object.entries(pattern)) {
    const value = fields[key];
    if (value === undefined) return undefined;
    if (holdsPlace(part)) found = extract(part, value);
    else if (JSON.stringify(part) !== JSON.stringify(value)) return undefined;
  }
  return found;
}

/** The template with `value` at `"{}"`. */
export function fill(template: Json, value: Json): Json {
  if (template === '{}') return value;
  if (Array.isArray(template)) return template.map((each: Json) => fill(each, value));
  if (typeof template !== 'object' || template === null) return template;
  return Object.fromEntries(
    Object.entries(template).map(([key, part]) => [key, fill(part, value)]),
  );
}

/** Whether the template has a `"{}"`. */
export function holdsPlace(template: Json): boolean {
  if (template === '{}') return true;
  return (
    typeof template === 'object' && template !== null && Object.values(template).some(holdsPlace)
  );
}

function steps(pointer: string): readonly string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function placed(here: Json | undefined, [step, ...more]: readonly string[], value: Json): Json {
  if (step === undefined) return value;
  if (/^\d{1,4}$/.test(step) && (here === undefined || Array.isArray(here))) {
    const list: Json[] = [...((here ?? []) as readonly Json[])];
    while (list.length <= Number(step)) list.push(null);
    list[Number(step)] = placed(list[Number(step)] ?? undefined, more, value);
    return list;
  }
  const fields = typeof here === 'object' && here !== null ? (here as Fields) : {};
  return { ...fields, [step]: placed(fields[step], more, value) };
}
