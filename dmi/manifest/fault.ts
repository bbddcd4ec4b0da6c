/** Faults of a document: where, what, and what to do; all of them at once, never only the first. */
import type * as v from 'valibot';
import type { SchemaIssue } from '../standard-schema.ts';
import { kindOf } from './json.ts';

/** Keys of objects and indices of lists, from the root of a document. */
export type Path = readonly (string | number)[];

/**
 * `message` names the field, the kind of value found, what was expected and what to do; it never shows the
 * value, which may be a secret. `path` is like `spec.properties[2].visitor.address`; `line` and `column` count from 1.
 */
export interface Fault {
  readonly path: string;
  readonly message: string;
  readonly code: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
}

/** Where a fault stands in its file. */
export type Position = Required<Pick<Fault, 'file' | 'line' | 'column'>>;

/** One document's faults beyond this many are counted, not listed. */
const MAX_FAULTS = 100;

/** `file:line:column: path: message`, one fault per line; what is not known is left out. */
export function formatFaults(faults: readonly Fault[]): string {
  return faults
    .map(({ file, line, column, path, message }) => {
      const place = [file, line, column].filter((part) => part !== undefined).join(':');
      return [place, path, message].filter((part) => part !== '').join(': ');
    })
    .join('\n');
}

/** `['spec', 'properties', 2, 'a.b']` as `spec.properties[2]["a.b"]`. */
export function formatPath(path: Path): string {
  return path
    .map((key, index) => {
      if (typeof key === 'number') return `[${key}]`;
      if (!/^[A-Za-z_$][\w$-]*$/.test(key)) return `[${JSON.stringify(key)}]`;
      return index === 0 ? key : `.${key}`;
    })
    .join('');
}

/** What {@link formatPath} wrote, as keys and indices again. */
export function parsePath(path: string): Path {
  return [...path.matchAll(/\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|([^.[\]]+)/g)].map(
    ([, index, quoted, plain]) => {
      if (index !== undefined) return Number(index);
      return quoted === undefined ? (plain ?? '') : (JSON.parse(quoted) as string);
    },
  );
}

/** A fault at `path` below the root; its message begins with the field's name. */
export function fault(path: Path, code: string, message: string): Fault {
  return { path: formatPath(path), code, message: `${subject(path)} ${message}` };
}

/** Faults of valibot issues whose messages are predicates ("must be …"), as `schema.ts` writes them. */
export function faultsOf(issues: readonly v.BaseIssue<unknown>[]): Fault[] {
  return atMost(issues, (issue) => fault(pathOf(issue), codeOf(issue), issue.message));
}

/**
 * Faults of any Standard Schema's issues, below `root`. Libraries like to quote the value that they refused;
 * a number or text that `value` holds at the place is therefore replaced by its kind.
 */
export function faultsOfSchema(
  issues: readonly SchemaIssue[],
  root: Path,
  value: unknown,
): Fault[] {
  return atMost(issues, (issue) => {
    const below = pathOf(issue);
    const path = [...root, ...below];
    const message = `${subject(path)}: ${redact(issue.message, valueAt(value, below))}`;
    return { path: formatPath(path), code: 'FIELD_INVALID', message };
  });
}

function atMost<Issue>(issues: readonly Issue[], convert: (issue: Issue) => Fault): Fault[] {
  const faults = issues.slice(0, MAX_FAULTS).map((issue) => convert(issue));
  const more = issues.length - faults.length;
  if (more === 0) return faults;
  const message = `and ${more} more faults: mend these first`;
  return [...faults, { path: '', code: 'TOO_MANY_FAULTS', message }];
}

/** The name that a message calls a field by: the last key, with the indices after it. */
function subject(path: Path): string {
  const from = path.findLastIndex((key) => typeof key === 'string');
  return path.length === 0 ? 'the document' : `"${formatPath(path.slice(Math.max(0, from)))}"`;
}

function pathOf(issue: SchemaIssue | v.BaseIssue<unknown>): Path {
  return (issue.path ?? []).map((item) => {
    const key = typeof item === 'object' ? item.key : item;
    return typeof key === 'number' ? key : String(key);
  });
}

function codeOf(issue: v.BaseIssue<unknown>): string {
  if (issue.expected === 'never') return 'FIELD_UNKNOWN';
  if (issue.kind !== 'schema') return 'FIELD_INVALID';
  return issue.input === undefined ? 'FIELD_MISSING' : 'FIELD_TYPE';
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = (at as Record<string | number, unknown>)[key];
  }
  return at;
}

function redact(message: string, value: unknown): string {
  if (typeof value !== 'string' && typeof value !== 'number') return message;
  const shown = String(value);
  // A single character would mangle the sentence and is no secret.
  if (shown.length < 2) return message;
  // Whole words only: a wrong "tcp" must not tear "expected tcp://HOST:PORT" apart.
  const literal = shown.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
  const whole = new RegExp(`"?(?<![\\w:/-])${literal}(?![\\w:/-])"?`, 'g');
  return message.replaceAll(whole, kindOf(value));
}
