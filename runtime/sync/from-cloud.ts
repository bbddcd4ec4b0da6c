/** The door: text from the cloud becomes a checked message, or a {@link Garbled} that says what is wrong with it. */
import { Garbled, type Json } from '@limpet/dmi';
import type { FromCloud } from '#protocol';
import * as v from 'valibot';

const Counter = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** ms since 1970, or ms left; `Date` ends where this does. */
const Time = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(8_640_000_000_000_000));
const Id = v.pipe(
  v.string(),
  v.maxLength(512),
  v.regex(/^[^/]+\/[^/]+$/, 'expected namespace/name'),
);
const Name = v.pipe(v.string(), v.minLength(1), v.maxLength(253));
/** JSON by construction: it comes out of JSON.parse. */
const AnyJson = v.custom<Json>((value) => value !== undefined, 'expected a JSON value');

const Metadata = v.looseObject({ name: Name, namespace: v.optional(Name) });
const DeviceModel = v.looseObject({
  apiVersion: v.string(),
  kind: v.literal('DeviceModel'),
  metadata: Metadata,
  spec: v.looseObject({
    protocol: Name,
    properties: v.array(v.looseObject({ name: Name, type: Name, visitor: v.looseObject({}) })),
  }),
});
const Device = v.looseObject({
  apiVersion: v.string(),
  kind: v.literal('Device'),
  metadata: Metadata,
  spec: v.looseObject({ model: Name, node: Name, settings: v.looseObject({}) }),
});

const Resource = v.pipe(
  v.object({
    kind: v.literal('resource'),
    type: v.picklist(['Device', 'DeviceModel']),
    id: Id,
    rev: Counter,
    doc: v.nullable(v.variant('kind', [Device, DeviceModel])),
  }),
  v.check(
    ({ type, id, doc }) =>
      doc === null ||
      (doc.kind === type && `${doc.metadata.namespace ?? 'default'}/${doc.metadata.name}` === id),
    'expected `doc` to be the resource that `type` and `id` name',
  ),
);
const Desired = v.object({
  kind: v.literal('desired'),
  device: Id,
  property: Name,
  value: AnyJson,
  rev: Counter,
  accepted: Time,
  expires: v.optional(Time),
  ttl: v.optional(Time),
});

/** A day: longer than any server should ask for, and still within what a timer can hold. */
const RetryAfter = v.pipe(v.number(), v.minValue(0), v.maxValue(86_400_000));

const Message = v.variant('type', [
  v.object({
    type: v.literal('welcome'),
    seq: Counter,
    past: v.optional(v.nullable(v.object({ run: Name, n: Counter }))),
  }),
  v.object({ type: v.literal('ack'), seq: Counter }),
  v.object({ type: v.literal('pastAck'), n: Counter }),
  v.object({
    type: v.literal('call'),
    id: Counter,
    device: Id,
    method: Name,
    // As far as it is wrong, the caller is told.
    input: v.record(v.string(), AnyJson),
    ttl: Time,
  }),
  v.object({ type: v.literal('uncall'), id: Counter }),
  v.object({
    type: v.literal('ask'),
    id: Counter,
    about: v.variant('kind', [
      v.object({ kind: v.literal('why'), device: Id, property: Name }),
      v.object({ kind: v.literal('load') }),
    ]),
  }),
  v.object({
    type: v.literal('desire'),
    to: Counter,
    rows: v.array(v.variant('kind', [Resource, Desired])),
  }),
  v.object({
    type: v.literal('refuse'),
    code: v.string(),
    message: v.string(),
    retryAfter: v.optional(RetryAfter),
  }),
]);

/**
 * One text frame of the cloud, checked.
 * @throws Garbled SYNC_BAD_MESSAGE, naming the field and what was expected; never quoting a value.
 */
export function readFromCloud(text: string): FromCloud {
  const result = v.safeParse(Message, parse(text), { abortEarly: true });
  if (result.success) return result.output as FromCloud;
  const [issue] = result.issues;
  const field = v.getDotPath(issue) ?? 'the message';
  throw new Garbled(
    'SYNC_BAD_MESSAGE',
    `The cloud sent a message this edge cannot use: ${field}: expected ${issue.expected ?? issue.message}, ` +
      `got ${kindOf(issue.input)}. Update the older of the two sides.`,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = `The cloud sent ${text.length} characters that are not JSON. Is \`cloud:\` the address of a Limpet hub?`;
    throw new Garbled('SYNC_BAD_MESSAGE', message, { cause });
  }
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
