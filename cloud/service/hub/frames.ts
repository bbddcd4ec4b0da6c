/** The door: text from an edge becomes a checked message, or a sentence that says what is wrong with it. */
import type { Json } from '@limpet/dmi';
import { isJson, MAX_VALUE_BYTES } from '@limpet/dmi/manifest';
import type { FromEdge, PastItem, SeriesPast, StateRow } from '#protocol';
import * as v from 'valibot';
import { Facts, Reason, Short, Time } from './facts.ts';
import { ID, LABEL, PROPERTY_NAME } from './names.ts';
import { isUsualRow } from './usual-row.ts';

/** A good message, with the rows that could not be used counted; or why the whole frame cannot be. */
export type Frame =
  | { readonly ok: true; readonly message: FromEdge; readonly spoiled: number }
  | { readonly ok: false; readonly fault: string };

const Counter = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Name = v.pipe(
  v.string(),
  v.regex(new RegExp(`^${LABEL}$`), 'expected lower-case letters, digits and "-", at most 63'),
);
const Id = v.pipe(v.string(), v.regex(ID, 'expected namespace/name'));
const PropertyName = v.pipe(v.string(), v.regex(PROPERTY_NAME, 'expected a property name'));
const Value = v.custom<Json>(
  (value) => isJson(value, MAX_VALUE_BYTES),
  `expected a JSON value of at most ${MAX_VALUE_BYTES} bytes`,
);

const Reported = v.object({
  value: Value,
  at: Time,
  quality: v.picklist(['good', 'stale', 'bad']),
  reason: v.optional(Reason),
});
const Desired = v.object({
  value: Value,
  rev: Counter,
  verdict: v.picklist(['pending', 'applied', 'rejected', 'expired']),
  reason: v.optional(Reason),
  expires: v.optional(Time),
  stages: v.object({
    accepted: Time,
    stored: v.optional(Time),
    sent: v.optional(Time),
    confirmed: v.optional(Time),
  }),
});
/** Only as much as merging looks at: `checkResource` judges a document that is adopted. */
const Doc = v.looseObject({
  kind: v.picklist(['Device', 'DeviceModel']),
  metadata: v.looseObject({ name: Name, namespace: v.optional(Name) }),
  spec: v.looseObject({}),
});

const Row = v.variant('kind', [
  v.object({
    kind: v.literal('property'),
    seq: Counter,
    device: Id,
    property: PropertyName,
    reported: v.optional(Reported),
    desired: v.optional(Desired),
    carried: v.optional(v.literal(true)),
  }),
  v.object({
    kind: v.literal('device'),
    seq: Counter,
    device: Id,
    state: v.picklist(['connecting', 'online', 'offline', 'misconfigured']),
    reason: v.optional(Reason),
    lastSeen: v.optional(Time),
  }),
  v.pipe(
    v.object({
      kind: v.literal('resource'),
      seq: Counter,
      type: v.picklist(['Device', 'DeviceModel']),
      id: Id,
      rev: Counter,
      doc: v.nullable(Doc),
    }),
    v.check(({ type, doc }) => doc === null || doc.kind === type, 'expected `doc` of kind `type`'),
  ),
]);

/** ms: as far as `Date` goes, in both directions. */
const MOST_MS = 8.64e15;
const isMoment = (value: unknown): boolean => {
  return Number.isSafeInteger(value) && Math.abs(value as number) <= MOST_MS;
};
/** One word: those of a later edge are kept as they are. */
const CAUSE = /^[a-z][a-z-]{0,31}$/;

/** By hand, for a page has thousands. */
function isPastItem(item: unknown): boolean {
  if (Array.isArray(item)) return isSample(item);
  return typeof item === 'object' && item !== null && isGap(item);
}

function isSample([at, n, value, quality, ...rest]: readonly unknown[]): boolean {
  const known = quality === undefined || quality === 'stale' || quality === 'bad';
  if (!known || rest.length > 0 || !isMoment(at) || !Number.isSafeInteger(n)) return false;
  return Number.isFinite(value) || isJson(value, MAX_VALUE_BYTES);
}

function isGap({ gap, from, to }: { gap?: unknown; from?: unknown; to?: unknown }): boolean {
  const named = typeof gap === 'string' && CAUSE.test(gap);
  return named && isMoment(from) && (to === null || isMoment(to));
}

const Past = v.object({
  device: Id,
  property: PropertyName,
  since: v.custom<number>(isMoment, 'expected ms since 1970'),
  n: Counter,
  items: v.pipe(
    v.array(v.custom<PastItem>(isPastItem, 'expected a sample or a gap')),
    v.minLength(1),
    v.maxLength(10_000),
  ),
});

/** Of a call: the names of outputs are like those of properties. */
const Outcome = v.variant('ok', [
  v.object({ ok: v.literal(true), output: v.record(PropertyName, Value) }),
  v.object({
    ok: v.literal(false),
    at: v.picklist(['edge', 'device']),
    ...Reason.entries,
    ran: v.picklist(['no', 'maybe', 'yes']),
    faults: v.optional(
      v.pipe(v.array(v.object({ argument: Short, ...Reason.entries })), v.maxLength(100)),
    ),
  }),
]);

const Message = v.variant('type', [
  v.object({
    type: v.literal('hello'),
    // Any number: which versions are spoken is the session's to say.
    protocol: v.number(),
    node: Name,
    epoch: Short,
    rev: Counter,
    facts: Facts,
    // Of a newer edge: what is not known here is not asked for.
    offers: v.optional(v.array(v.string())),
  }),
  v.object({
    type: v.literal('report'),
    to: Counter,
    rows: v.pipe(v.array(v.unknown()), v.maxLength(10_000)),
  }),
  v.object({
    type: v.literal('past'),
    run: Short,
    n: Counter,
    series: v.pipe(v.array(v.unknown()), v.maxLength(10_000)),
  }),
  v.object({ type: v.literal('stored'), rev: Counter }),
  v.object({ type: v.literal('facts'), facts: Facts }),
  // What is told is checked by whoever asked.
  v.object({ type: v.literal('answer'), id: Counter, told: v.unknown() }),
  v.object({ type: v.literal('called'), id: Counter, outcome: Outcome }),
]);

/** Checks one text frame. Of a report single rows, and of history single series, may be spoiled: the rest counts. */
export function readFromEdge(text: string): Frame {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return { ok: false, fault: `expected JSON, got ${text.length} characters of something else` };
  }
  const checked = v.safeParse(Message, content, { abortEarly: true });
  if (!checked.success) return { ok: false, fault: faultOf(checked.issues[0]) };
  const message = checked.output;
  if (message.type === 'report') {
    const rows = goodOf<StateRow>(Row, message.rows, isUsualRow);
    const spoiled = message.rows.length - rows.length;
    return { ok: true, message: { ...message, rows }, spoiled };
  }
  if (message.type === 'past') {
    const series = goodOf<SeriesPast>(Past, message.series);
    const spoiled = message.series.length - series.length;
    return { ok: true, message: { ...message, series }, spoiled };
  }
  return { ok: true, message: message as FromEdge, spoiled: 0 };
}

/** `known`: those that the schema need not look at. */
function goodOf<T>(
  schema: v.GenericSchema,
  rows: readonly unknown[],
  known: (row: unknown) => boolean = () => false,
): T[] {
  const good: T[] = [];
  for (const row of rows) {
    if (known(row)) {
      good.push(row as T);
      continue;
    }
    const checked = v.safeParse(schema, row, { abortEarly: true });
    if (checked.success) good.push(checked.output as T);
  }
  return good;
}

/** Names the field and what was expected; never quotes a value. */
function faultOf(issue: v.BaseIssue<unknown>): string {
  const field = v.getDotPath(issue) ?? 'the message';
  const got = issue.input === null ? 'null' : typeof issue.input;
  const expected = issue.kind === 'schema' ? `expected ${issue.expected ?? 'less'}` : issue.message;
  return `${field}: ${expected}, got ${got}`;
}
