/** What answers of the API are made of: checks from which both their types and their JSON Schemas are read. */
import type { Json } from '@limpet/dmi';
import * as v from 'valibot';
import { STATUS_CODES, type StatusReason } from '../status.ts';

/** Anything that JSON can say. */
export const JSON_VALUE = v.any() as unknown as v.GenericSchema<Json>;
export const TIME = told(v.string(), 'A time of RFC 3339.');
export const OF_US = v.literal('limpet.dev/v1');

/** With a description, for people. */
export function told<S extends v.GenericSchema>(schema: S, text: string) {
  return v.pipe(schema, v.description(text));
}

const REASON = v.object({ code: v.string(), message: v.string() });

export const QUALITY = v.picklist(['good', 'stale', 'bad']);

export const REPORTED = v.object({
  value: JSON_VALUE,
  at: TIME,
  quality: QUALITY,
  reason: v.exactOptional(REASON),
});

export const STAGES = v.object({
  accepted: TIME,
  stored: v.exactOptional(TIME),
  sent: v.exactOptional(TIME),
  confirmed: v.exactOptional(TIME),
});

const CAUSE = v.object({
  field: told(v.string(), 'A path like spec.desired.setpoint; of a query: query.'),
  reason: told(v.string(), 'For programs: FieldValueInvalid and the like, or a code of ours.'),
  message: v.string(),
  offset: told(v.exactOptional(v.number()), 'Of a query: where in its text.'),
  length: v.exactOptional(v.number()),
  line: told(v.exactOptional(v.number()), 'From 1, like column.'),
  column: v.exactOptional(v.number()),
  suggestion: told(v.exactOptional(v.string()), 'What to write instead.'),
});

const CALL = v.object({
  at: told(v.picklist(['cloud', 'edge', 'device']), 'How far a call came.'),
  code: v.string(),
  ran: told(v.picklist(['no', 'maybe', 'yes']), 'Whether the device has carried it out.'),
});

const REASONS = Object.keys(STATUS_CODES) as StatusReason[];

/** What went wrong, as in Kubernetes; also what a deletion of many answers. */
export const STATUS = v.object({
  kind: v.literal('Status'),
  apiVersion: v.literal('v1'),
  metadata: v.record(v.string(), v.never()),
  status: v.picklist(['Success', 'Failure']),
  message: told(v.exactOptional(v.string()), 'For people: what is wrong, and what to do.'),
  reason: told(v.exactOptional(v.picklist(REASONS)), 'For programs: always with the same code.'),
  details: v.exactOptional(
    v.object({
      name: v.exactOptional(v.string()),
      group: v.exactOptional(v.string()),
      kind: v.exactOptional(v.string()),
      uid: v.exactOptional(v.string()),
      causes: v.exactOptional(v.array(CAUSE)),
      retryAfterSeconds: v.exactOptional(v.number()),
      call: v.exactOptional(CALL),
    }),
  ),
  code: told(v.number(), 'The HTTP status code.'),
});
