/** What an edge answers when it is asked, checked at the door: users are shown it. */
import type { Json } from '@limpet/dmi';
import { isJson, MAX_VALUE_BYTES } from '@limpet/dmi/manifest';
import type { Told } from '#protocol';
import * as v from 'valibot';
import { MapperState, Reason, Short } from './facts.ts';

const MAX_TEXT = 4_000;
const Text = v.pipe(
  v.string(),
  v.transform((text) => text.slice(0, MAX_TEXT)),
);
const Moment = v.pipe(v.string(), v.isoTimestamp());
const Amount = v.pipe(v.number(), v.finite(), v.minValue(0));
const Value = v.custom<Json>((value) => isJson(value, MAX_VALUE_BYTES), 'expected a JSON value');

const Finding = v.object({
  // A stage of a later edge is told as it is.
  stage: Short,
  effect: v.picklist(['stops', 'explains']),
  code: v.optional(Short),
  message: Text,
  todo: v.optional(Text),
  since: v.optional(Moment),
  until: v.optional(Moment),
});

const Explanation = v.object({
  device: Text,
  property: Short,
  from: v.literal('edge'),
  now: Moment,
  unit: v.optional(Short),
  reported: v.optional(
    v.object({
      value: Value,
      at: Moment,
      quality: v.picklist(['good', 'stale', 'bad']),
      reason: v.optional(Reason),
    }),
  ),
  findings: v.pipe(v.array(Finding), v.maxLength(20)),
  hops: v.pipe(
    v.array(v.object({ hop: Short, at: Moment, by: v.optional(v.literal(true)) })),
    v.maxLength(20),
  ),
  order: v.optional(
    v.object({
      value: Value,
      rev: Amount,
      verdict: v.picklist(['pending', 'applied', 'rejected', 'expired']),
      stages: v.object({
        accepted: Moment,
        stored: v.optional(Moment),
        sent: v.optional(Moment),
        confirmed: v.optional(Moment),
      }),
      expires: v.optional(Moment),
      finding: v.optional(Finding),
    }),
  ),
});

const Load = v.object({
  node: Short,
  at: Moment,
  runMs: Amount,
  devices: v.object({ connecting: Amount, online: Amount, offline: Amount, misconfigured: Amount }),
  readings: Amount,
  failed: Amount,
  missedCycles: Amount,
  rows: Amount,
  link: v.object({
    state: v.picklist(['none', 'connecting', 'connected', 'offline']),
    since: v.optional(Moment),
    code: v.optional(Short),
  }),
  ports: v.pipe(
    v.array(v.object({ port: Text, devices: Amount, waiting: Amount, busyMs: Amount })),
    v.maxLength(100),
  ),
  memory: v.object({ now: Amount, ceiling: v.optional(Amount) }),
  mappers: v.pipe(
    v.array(
      v.object({
        protocol: Short,
        state: MapperState,
        restarts: Amount,
        memory: v.optional(Amount),
        budget: v.optional(Amount),
      }),
    ),
    v.maxLength(100),
  ),
  lagMs: Amount,
  oldest: v.optional(v.object({ device: Text, property: Short, ageMs: Amount, everyMs: Amount })),
});

const Answer = v.variant('kind', [
  v.object({ kind: v.literal('why'), explanation: v.nullable(Explanation) }),
  v.object({ kind: v.literal('load'), load: Load }),
]);

/** `undefined` when it cannot be used. */
export function readTold(told: unknown): Told | undefined {
  const checked = v.safeParse(Answer, told, { abortEarly: true });
  return checked.success ? (checked.output as Told) : undefined;
}
