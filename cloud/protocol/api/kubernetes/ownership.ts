/** Who owns which fields after a write: `metadata.managedFields`, as Kubernetes' server-side apply keeps them. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { Json } from '@limpet/dmi';
import type { FieldOwner, Resource } from '@limpet/dmi/manifest';
import type { Document, Edit } from '../backend.ts';
import { GROUP_VERSION } from '../kinds.ts';
import { ApiError } from '../status.ts';
import {
  changedFields,
  decode,
  encode,
  type Fields,
  filter,
  isObject,
  NONE,
  union,
  valueAt,
  without,
} from './fields.ts';

/** Who writes, and when (RFC 3339). */
export interface Writer {
  readonly manager: string;
  readonly time: string;
}

/** One owner, its fields as a tree. */
export interface Owner {
  readonly manager: string;
  readonly operation: FieldOwner['operation'];
  readonly time: string | undefined;
  readonly fields: Fields;
}

/** As many as Kubernetes keeps; the oldest become one. */
const MOST_UPDATERS = 10;
const MOST_APPLIERS = 50;
const ANCIENT = 'ancient-changes';
/** Of all owners of one resource, as JSON. */
const MOST_BYTES = 1_048_576;

/** The same edit, which also says that what it changes is now this writer's. */
export function owned(edit: Edit, writer: Writer): Edit {
  return (now) => {
    const doc = edit(now);
    const before = documentOf(now);
    const changed = changedFields(before, doc);
    const owners = given(doc) ?? ownersOf(now);
    const mine = find(owners, writer.manager, 'Update')?.fields ?? NONE;
    const others = owners.map((owner) => disown(owner, changed));
    const fields = union(mine, changed);
    return withOwners(doc, put(others, { ...writer, operation: 'Update', fields }));
  };
}

/** The owners of a resource. */
export function ownersOf(resource: Resource | undefined): readonly Owner[] {
  return decodeAll(resource?.metadata.managedFields as unknown as Json) ?? [];
}

export function documentOf(resource: Resource | undefined): Document {
  return (resource ?? {}) as unknown as Document;
}

export function find(
  owners: readonly Owner[],
  manager: string,
  operation: FieldOwner['operation'],
): Owner | undefined {
  return owners.find((each) => each.manager === manager && each.operation === operation);
}

/** The owner without these. */
export function disown(owner: Owner, fields: Fields): Owner {
  return { ...owner, fields: without(owner.fields, fields) };
}

/** In the place of the same owner, or at the end; an owner that gains and loses nothing keeps its time. */
export function put(owners: readonly Owner[], owner: Owner): readonly Owner[] {
  const known = find(owners, owner.manager, owner.operation);
  if (known === undefined) return [...owners, owner];
  const same = isDeepStrictEqual(encode(known.fields), encode(owner.fields));
  return owners.map((each) =>
    each === known ? { ...owner, ...(same && { time: known.time }) } : each,
  );
}

/** The document with these owners, as far as there still is what they own. @throws ApiError RequestEntityTooLarge */
export function withOwners(doc: Document, owners: readonly Owner[]): Document {
  const present = owners
    .map((owner) => {
      const fields = filter(owner.fields, (path) => valueAt(doc, path) !== undefined);
      return { ...owner, fields };
    })
    .filter(({ fields }) => fields.size > 0);
  const managedFields = bounded(present).map((owner) => encodeOne(owner));
  if (JSON.stringify(managedFields).length > MOST_BYTES) throw tooMany();
  const metadata = isObject(doc['metadata']) ? doc['metadata'] : {};
  return { ...doc, metadata: { ...metadata, managedFields: managedFields as unknown as Json } };
}

function bounded(owners: readonly Owner[]): readonly Owner[] {
  if (owners.filter(({ operation }) => operation === 'Apply').length > MOST_APPLIERS) {
    throw tooMany();
  }
  const updaters = owners
    .filter(({ operation }) => operation === 'Update')
    .toSorted((a, b) => ((a.time ?? '') < (b.time ?? '') ? -1 : 1));
  const old = updaters.slice(0, Math.max(0, updaters.length - MOST_UPDATERS + 1));
  if (updaters.length <= MOST_UPDATERS) return owners;
  const fields = old.reduce<Fields>((all, each) => union(all, each.fields), NONE);
  const rest = owners.filter((owner) => !old.includes(owner));
  return [{ manager: ANCIENT, operation: 'Update', time: old.at(-1)?.time, fields }, ...rest];
}

function tooMany(): ApiError {
  return new ApiError(
    'RequestEntityTooLarge',
    `too many have set fields of this: at most ${MOST_APPLIERS} appliers and ${MOST_BYTES} bytes of metadata.managedFields; forget them with a merge patch of {"metadata":{"managedFields":[{}]}}`,
  );
}

/** What the document itself says of its owners, when it says it: a list that clears, or one that can be read. */
function given(doc: Document): readonly Owner[] | undefined {
  const { metadata } = doc;
  return decodeAll(isObject(metadata) ? metadata['managedFields'] : undefined);
}

function decodeAll(list: Json | undefined): readonly Owner[] | undefined {
  if (!Array.isArray(list)) return undefined;
  const entries: readonly Json[] = list;
  // As in Kubernetes, one empty entry clears them.
  if (entries.length === 1 && isObject(entries[0]) && Object.keys(entries[0]).length === 0)
    return [];
  const owners = entries.map((entry) => decodeOne(entry));
  return owners.every((owner) => owner !== undefined) ? owners : undefined;
}

function decodeOne(entry: Json): Owner | undefined {
  if (!isObject(entry)) return undefined;
  const { manager, operation, time, fieldsV1 } = entry;
  if (typeof manager !== 'string' || manager.length > 128) return undefined;
  if (operation !== 'Apply' && operation !== 'Update') return undefined;
  const when = typeof time === 'string' && !Number.isNaN(Date.parse(time)) ? time : undefined;
  return { manager, operation, time: when, fields: decode(fieldsV1) };
}

function encodeOne({ manager, operation, time, fields }: Owner): FieldOwner {
  return {
    manager,
    operation,
    apiVersion: GROUP_VERSION,
    ...(time !== undefined && { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: encode(fields),
  };
}
