/**
 * Where a value lies in a JSON payload (pure). Three ways to write it: `$.a.b[0]['c d']` (keys after a dot are letters,
 * digits, `_`, `-`; others quoted in brackets, `\` before a quote), a JSON pointer `/a/b/0/c d` (RFC 6901), or
 * the keys alone, `a.b[0]`. Nothing else of JSONPath: no wildcards, no slices, no filters.
 */
import type { Json } from '@limpet/dmi';

/** Keys of objects and indexes of arrays, outermost first. */
export type Steps = readonly (string | number)[];

const MAX_STEPS = 32;
const STEP =
  /\.([\p{L}\p{N}_-]+)|\[(\d{1,6})\]|\['((?:[^'\\]|\\['\\])+)'\]|\["((?:[^"\\]|\\["\\])+)"\]/uy;

/** The steps, or a sentence saying what is wrong. */
export function parsePath(path: string): Steps | string {
  const steps = path.startsWith('/') ? pointer(path) : dotted(path);
  if (typeof steps === 'string') return steps;
  return steps.length > MAX_STEPS ? `expected at most ${MAX_STEPS} steps` : steps;
}

/** What lies there; `undefined` where nothing does. */
export function pick(json: Json, steps: Steps): Json | undefined {
  let at: Json | undefined = json;
  for (const step of steps) {
    if (Array.isArray(at)) at = at[Number(step)] as Json | undefined;
    else if (typeof at === 'object' && at !== null && Object.hasOwn(at, String(step))) {
      at = (at as { readonly [key: string]: Json })[String(step)];
    } else return undefined;
  }
  return at;
}

/** The shortest way to write it. */
export function pathText(steps: readonly string[]): string {
  if (steps.every((step) => /^[\p{L}\p{N}_-]+$/u.test(step))) return steps.join('.');
  return steps.map((step) => `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** The JSON in which only `value` lies there. */
export function wrap(value: Json, steps: Steps): Json {
  return steps.reduceRight<Json>(
    (inner, step) => (typeof step === 'number' ? list(step, inner) : { [step]: inner }),
    value,
  );
}

function list(index: number, inner: Json): Json {
  return [...Array.from({ length: Math.min(index, 1000) }, () => null), inner];
}

function pointer(path: string): Steps | string {
  const keys = path.slice(1).split('/');
  if (keys.some((key) => /~(?![01])/.test(key))) return 'a ~ in a pointer is written ~0, a / ~1';
  return keys.map((key) => {
    const plain = key.replaceAll('~1', '/').replaceAll('~0', '~');
    return /^(0|[1-9]\d{0,5})$/.test(plain) ? Number(plain) : plain;
  });
}

function dotted(path: string): Steps | string {
  const rest = path.startsWith('$') ? path.slice(1) : `.${path}`;
  const steps: (string | number)[] = [];
  let at = 0;
  while (at < rest.length) {
    STEP.lastIndex = at;
    const match = STEP.exec(rest);
    if (match === null) {
      return "expected a path such as $.a.b[0]['c d'], a.b, or a pointer /a/b/0: keys with other characters go in brackets and quotes";
    }
    const [, key, index, single, double] = match;
    const quoted = (single ?? double)?.replaceAll(/\\(['"\\])/g, '$1');
    steps.push(index === undefined ? ((key ?? quoted) as string) : Number(index));
    at = STEP.lastIndex;
  }
  return steps;
}
