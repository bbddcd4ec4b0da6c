/** What makes a resource well formed, as far as that can be said without its mapper. */
import * as v from 'valibot';
import { duration } from './duration.ts';
import { type Fault, fault, faultsOf } from './fault.ts';
import { kindOf } from './json.ts';
import { methods, nameOf, typeWord, unit } from './methods.ts';
import { namedList } from './named-list.ts';
import { suggestion } from './nearest.ts';
import { API_VERSION, type Kind, type Resource } from './resource.ts';
import { rolloutSpec } from './rollout-schema.ts';
import {
  documentFault,
  exact,
  isLabel,
  jsonObject,
  must,
  oneOf,
  plainMessage,
  text,
} from './schema.ts';

/** The ceilings of one document. */
export const MAX_DOCUMENT_BYTES = 1_048_576;
const MAX_PROPERTIES = 10_000;
const MAX_ANNOTATION_BYTES = 262_144;
const SHORTEST_PERIOD_MS = 10;
const LONGEST_PERIOD_MS = 7 * 86_400_000;

const KINDS: readonly Kind[] = ['DeviceModel', 'Device', 'Node', 'Rollout'];

const name = text(
  'a name of lower-case letters, digits and "-", at most 63, such as "boiler-1"',
  isLabel,
);

const qualifiedKey = text(
  'a key such as "hall" or "example.com/hall": at most 63 letters, digits, "-", "_" and "." after an optional DNS prefix',
  (key) => {
    const [last = '', prefix, ...more] = key.split('/').toReversed();
    const prefixed =
      prefix === undefined || (prefix.length <= 253 && prefix.split('.').every(isLabel));
    return more.length === 0 && prefixed && last !== '' && isLabelValue(last);
  },
);

const labels = v.record(
  qualifiedKey,
  text(
    'text of at most 63 letters, digits, "-", "_" and "." that begins and ends with a letter or digit (put numbers and true/false in quotes)',
    isLabelValue,
  ),
  must('an object of texts'),
);

const annotations = v.pipe(
  v.record(qualifiedKey, v.string(must('text (put it in quotes)')), must('an object of texts')),
  v.check(
    (value) => Buffer.byteLength(JSON.stringify(value)) <= MAX_ANNOTATION_BYTES,
    `must be at most ${MAX_ANNOTATION_BYTES} bytes in all; keep large things elsewhere`,
  ),
);

const own = {
  name,
  labels: v.optional(labels),
  annotations: v.optional(annotations),
  // Set by the server. Accepted, so that what was read can be applied again.
  uid: v.optional(v.string()),
  resourceVersion: v.optional(v.string()),
  generation: v.optional(v.number()),
  creationTimestamp: v.nullish(v.string()),
  managedFields: v.optional(v.array(v.unknown())),
};
const metadata = exact({ ...own, namespace: v.optional(name) });
const description = v.optional(v.string());
const limit = v.optional(v.pipe(v.number(must('a number')), v.finite(must('a finite number'))));

const period = text('a duration from 10ms to 7d, such as "500ms", "2s" or "1m"', isPeriod);
const history = v.union(
  [v.literal(true), exact({ every: period })],
  must('true (every change is kept) or { every: 10s }'),
);

const property = v.pipe(
  exact({
    name: nameOf('a property name'),
    type: typeWord,
    access: v.optional(oneOf(['read', 'readWrite'])),
    description,
    unit: v.optional(unit),
    minimum: limit,
    maximum: limit,
    every: v.optional(period),
    history: v.optional(history),
    deadband: v.optional(v.pipe(v.number(must('a number')), v.minValue(0, must('at least 0')))),
    visitor: jsonObject('an object that says where the value lives'),
  }),
  v.rawCheck(({ dataset, addIssue }) => {
    for (const [key, message] of limitFaults(dataset.value)) {
      const input = dataset.value as Record<string, unknown>;
      const value = input[key];
      addIssue({ message, path: [{ type: 'object', origin: 'value', input, key, value }] });
    }
  }),
);

const properties = namedList(property, {
  what: 'properties',
  most: MAX_PROPERTIES,
  advice: 'split the model',
});

const apiVersion = text(`"${API_VERSION}"`, (value) => value === API_VERSION);
const kind = oneOf(KINDS);
const status = v.optional(jsonObject('an object, set by the server'));

const SCHEMAS: Readonly<Record<Kind, v.GenericSchema>> = {
  DeviceModel: exact({
    apiVersion,
    kind,
    metadata,
    spec: exact({ protocol: name, description, properties, methods: v.optional(methods) }),
    status,
  }),
  Device: exact({
    apiVersion,
    kind,
    metadata,
    spec: exact({
      model: name,
      node: name,
      description,
      settings: jsonObject('an object that says how the device is reached'),
      desired: v.optional(jsonObject('an object of property: value')),
    }),
    status,
  }),
  Node: exact({ apiVersion, kind, metadata: exact(own), spec: exact({ description }), status }),
  Rollout: exact({ apiVersion, kind, metadata, spec: rolloutSpec, status }),
};

/** `namespace/name`; a node is known by its name alone. */
export function idOf(resource: Resource): string {
  const { name: own_, namespace = 'default' } = resource.metadata;
  return resource.kind === 'Node' ? own_ : `${namespace}/${own_}`;
}

/**
 * Whether `value` is a resource, with all its faults at once. Settings, visitors and desired values are checked
 * for being JSON only: see {@link checkSettings}, {@link checkVisitors} and {@link checkOrder}.
 */
export function checkResource(
  value: unknown,
):
  | { readonly ok: true; readonly resource: Resource }
  | { readonly ok: false; readonly faults: readonly Fault[] } {
  const odd = documentFault(value, MAX_DOCUMENT_BYTES);
  if (odd !== undefined) return refusal(fault([], 'DOCUMENT_INVALID', odd));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const message = `must be an object with apiVersion, kind, metadata and spec; found ${kindOf(value)}`;
    return refusal(fault([], 'DOCUMENT_INVALID', message));
  }
  const found: unknown = 'kind' in value ? value.kind : undefined;
  const known = KINDS.find((each) => each === found);
  if (known === undefined) {
    const hint = typeof found === 'string' ? suggestion(found, KINDS) : '';
    const message = `must be one of ${KINDS.join(', ')}; found ${kindOf(found)}.${hint}`;
    return refusal(
      fault(['kind'], found === undefined ? 'FIELD_MISSING' : 'FIELD_INVALID', message),
    );
  }
  const result = v.safeParse(SCHEMAS[known], value, { message: plainMessage });
  // The value itself, not valibot's copy: opaque parts stay as they were.
  if (result.success) return { ok: true, resource: value as Resource };
  return { ok: false, faults: faultsOf(result.issues) };
}

function refusal(...faults: Fault[]): { ok: false; faults: Fault[] } {
  return { ok: false, faults };
}

function isLabelValue(value: string): boolean {
  return value.length <= 63 && /^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$/.test(value);
}

function isPeriod(value: string): boolean {
  const ms = duration(value);
  return ms !== undefined && ms >= SHORTEST_PERIOD_MS && ms <= LONGEST_PERIOD_MS;
}

/** Faults between the fields of one property, as [field, message]. */
function* limitFaults(value: unknown): Generator<readonly [string, string]> {
  if (typeof value !== 'object' || value === null) return;
  const { type, minimum, maximum } = value as Record<string, unknown>;
  if (typeof minimum === 'number' && typeof maximum === 'number' && minimum > maximum) {
    yield ['minimum', 'must not be above "maximum": swap or mend them'];
  }
  if (type !== 'bool' && type !== 'string' && type !== 'bytes' && type !== 'json') return;
  for (const field of ['minimum', 'maximum', 'deadband']) {
    if (!Object.hasOwn(value, field)) continue;
    yield [field, `must stand on int and float properties only; this one is ${type}: remove it`];
  }
}
