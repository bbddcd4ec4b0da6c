/** What an edge tells of itself, checked at the door; older edges tell less, and what a newer one tells beside is dropped. */
import { MAPPER_STATES } from '@limpet/dmi/manifest';
import * as v from 'valibot';

/** Longer explanations are cut rather than refused: a row must never block its edge for good. */
const MAX_TEXT = 2000;

export const Time = v.pipe(v.number(), v.finite());
const Text = v.pipe(
  v.string(),
  v.transform((text) => text.slice(0, MAX_TEXT)),
);
export const Short = v.pipe(v.string(), v.minLength(1), v.maxLength(128));
export const Reason = v.object({ code: Short, message: Text });

const Amount = v.pipe(v.number(), v.finite(), v.minValue(0));

export const MapperState = v.picklist(MAPPER_STATES);

const Mapper = v.object({
  protocol: Short,
  version: Short,
  hosting: v.optional(v.picklist(['inline', 'process'])),
  // A state or a table of a later version is not told on, and refuses no edge.
  state: v.fallback(v.optional(MapperState), undefined),
  reason: v.optional(Reason),
  restarts: v.optional(Amount),
  since: v.optional(Short),
  memory: v.optional(Amount),
  peak: v.optional(Amount),
  budget: v.optional(Amount),
  importance: v.optional(Amount),
  superseded: v.optional(Amount),
  lines: v.optional(v.pipe(v.array(Text), v.maxLength(20))),
});

const Budget = v.object({
  ceiling: Amount,
  rows: v.pipe(
    v.array(
      v.object({
        kind: v.picklist(['memory', 'disk']),
        what: Short,
        partOf: v.optional(Short),
        budget: v.optional(Amount),
        now: Amount,
        peak: Amount,
        private: v.optional(Amount),
        pss: v.optional(Amount),
        rss: v.optional(Amount),
        charged: v.optional(Amount),
        over: Amount,
        note: v.optional(Text),
      }),
    ),
    // Of 100 mappers two each, and what the node has itself.
    v.maxLength(250),
  ),
  shed: v.pipe(
    v.array(
      v.object({
        step: v.picklist(['caches', 'samples', 'mapper']),
        times: Amount,
        last: v.optional(Short),
      }),
    ),
    v.maxLength(10),
  ),
  enforced: v.object({
    by: v.picklist(['cgroup-v1', 'cgroup-v2', 'watchdog']),
    note: v.optional(Text),
  }),
  lookMicroseconds: Amount,
});

export const Facts = v.object({
  architecture: Short,
  board: Text,
  os: Text,
  versions: v.object({ limpet: Short, node: Short }),
  mappers: v.pipe(v.array(Mapper), v.maxLength(100)),
  budget: v.fallback(v.optional(Budget), undefined),
  addresses: v.pipe(v.array(Short), v.maxLength(100)),
  uptime: Time,
  memory: v.object({ total: Time, available: Time, private: Time, rss: Time }),
});
