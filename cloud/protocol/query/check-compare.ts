/** What can be compared with what, and how. A literal is read as what it is compared with. */
import { nearest } from '@limpet/dmi/manifest';
import { KIND_WORDS } from './check-calls.ts';
import { WORDS } from './columns.ts';
import { QueryError, quoted, type Span } from './error.ts';
import { QUERY_LIMITS } from './limits.ts';
import { timeOf } from './times.ts';
import type { CompareOp } from './tree.ts';
import type { Kind, Mode, Source, Value } from './typed.ts';

/** A side of a comparison, and where it stands. */
export interface Side {
  readonly value: Value;
  readonly span: Span;
}

interface Compared {
  readonly mode: Mode;
  readonly left: Value;
  readonly right: Value;
}

/** @throws QueryError QUERY_TYPE, QUERY_VALUE */
export function compared(
  source: Source,
  by: CompareOp | 'in' | 'like',
  sides: readonly [Side, Side],
): Compared {
  const [left, right] = sides;
  if (left.value.op === 'literal' && right.value.op !== 'literal') {
    const { mode, left: of, right: to } = compared(source, by, [right, left]);
    return { mode, left: to, right: of };
  }
  const to = adapted(source, by, left.value, right);
  const mode = modeOf(left.value, to, by);
  if (mode !== undefined) return { mode, left: left.value, right: to };
  throw unlike(left.value, right);
}

/** A literal as what it is compared with needs it. */
function adapted(source: Source, by: string, left: Value, { value, span }: Side): Value {
  if (value.op !== 'literal' || value.kind !== 'text') return value;
  if (left.kind === 'time') return timeLiteral(value.value, span);
  if (by !== 'like' && value.value.length > QUERY_LIMITS.comparedText) {
    const message = `texts are compared by their first ${QUERY_LIMITS.comparedText} characters; this one is longer`;
    throw new QueryError('QUERY_VALUE', message, { span });
  }
  if (by === '=' || by === '<>' || by === 'in')
    refuseUnknownWord(source, left, { text: value.value, span });
  return value;
}

function timeLiteral(text: string, span: Span): Value {
  const ms = timeOf(text);
  if (ms !== undefined) return { op: 'literal', kind: 'time', value: ms };
  const message = `expected a time like '2026-11-22T10:00:00Z', or now() - 1h; found ${quoted(text)}`;
  throw new QueryError('QUERY_VALUE', message, { span });
}

function modeOf(left: Value, right: Value, by: string): Mode | undefined {
  const [a, b] = [left.kind, right.kind];
  if (a === 'json' || b === 'json') return undefined;
  if (a === 'any') return modeOfAny(b);
  if (b === 'any') return modeOfAny(a);
  if (a === b) return a === 'text' ? 'text' : 'number';
  // An int beyond 2^53 is exact only as a text.
  return a === 'number' && EXACT.has(by) && isHuge(right) ? 'text' : undefined;
}

function modeOfAny(other: Kind): Mode | undefined {
  if (other === 'any' || other === 'text') return other;
  return other === 'number' || other === 'bool' ? 'number' : undefined;
}

const EXACT: ReadonlySet<string> = new Set(['=', '<>', 'in']);

function isHuge(value: Value): boolean {
  return value.op === 'literal' && /^-?[1-9]\d{15,39}$/.test(String(value.value));
}

function unlike(left: Value, { value: right, span }: Side): QueryError {
  const suggestion = writtenAs(left, right);
  const hint = suggestion === undefined ? '' : `: write ${suggestion}`;
  const message =
    left.kind === 'json' || right.kind === 'json'
      ? `${KIND_WORDS.json} cannot be compared: name a part of it`
      : `${KIND_WORDS[left.kind]} cannot be compared with ${KIND_WORDS[right.kind]}${hint}`;
  return new QueryError('QUERY_TYPE', message, { span, suggestion });
}

function writtenAs(left: Value, right: Value): string | undefined {
  return right.op === 'literal' ? WRITTEN[`${left.kind} ${right.kind}`]?.(right.value) : undefined;
}

type Written = (value: string | number | boolean) => string | undefined;

const truth: Written = (value) => (value === 0 || value === 'false' ? 'false' : 'true');

/** What somebody probably meant, by what is compared with which literal. */
const WRITTEN: Readonly<Record<string, Written>> = {
  'duration number': (value) => `${Math.max(0, Math.trunc(Number(value)))}s`,
  'text number': (value) => `'${value}'`,
  'bool number': truth,
  'bool text': truth,
  'number text': (value) => (/^-?\d+(\.\d+)?$/.test(String(value)) ? String(value) : undefined),
  'time duration': () => 'now() - 1h',
};

/** What a column can never say is a slip. */
function refuseUnknownWord(
  source: Source,
  left: Value,
  { text, span }: { readonly text: string; readonly span: Span },
): void {
  const words = wordsOf(source, left);
  if (words === undefined || words.includes(text)) {
    if (left.op === 'column' && left.name === 'device') refuseBareDevice(text, span);
    return;
  }
  const near = nearest(text, words);
  const suggestion = near === undefined ? undefined : `'${near}'`;
  const hint = suggestion === undefined ? '' : `. Did you mean ${suggestion}?`;
  const message = `it is one of ${words.join(', ')}, never ${quoted(text)}${hint}`;
  throw new QueryError('QUERY_VALUE', message, { span, suggestion });
}

function wordsOf(source: Source, left: Value): readonly string[] | undefined {
  if (left.op === 'state') return WORDS[left.state];
  if (left.op !== 'column') return undefined;
  if (left.name === 'state' && source === 'nodes') return WORDS['node.state'];
  return Object.hasOwn(WORDS, left.name) ? WORDS[left.name] : undefined;
}

function refuseBareDevice(text: string, span: Span): void {
  if (text.includes('/')) return;
  const suggestion = `'default/${text}'`;
  const message = `device is namespace/name, such as ${suggestion}; for the name alone compare name`;
  throw new QueryError('QUERY_VALUE', message, { span, suggestion });
}
