/** Server-side apply: a document that says what one applier wants, merged with what others have set. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { Json } from '@limpet/dmi';
import type { Document, Edit, Target } from '../backend.ts';
import { GROUP_VERSION } from '../kinds.ts';
import { ApiError, type Cause } from '../status.ts';
import {
  changedFields,
  type Fields,
  fieldsOf,
  filter,
  isObject,
  NONE,
  only,
  pathsOf,
  touches,
  valueAt,
} from './fields.ts';
import {
  disown,
  documentOf,
  find,
  type Owner,
  ownersOf,
  put,
  withOwners,
  type Writer,
} from './ownership.ts';

export interface Applying extends Writer {
  /** Take what others own. */
  readonly force: boolean;
}

/** @throws (inside the edit) ApiError Conflict, naming who owns what */
export function applying(target: Target, given: Document, { force, ...writer }: Applying): Edit {
  const config = withoutNulls(given);
  const fields = fieldsOf(config);
  return (now) => {
    const before = settable(documentOf(now));
    const owners = ownersOf(now);
    const mine = find(owners, writer.manager, 'Apply');
    const others = owners.filter((owner) => owner !== mine);
    if (!force) refuseConflicts(target, others, differing(before, config, fields));
    const dropped = droppedBy(mine?.fields ?? NONE, config, others);
    const after = now === undefined ? config : merged(removed(before, dropped), config);
    const changed = changedFields(before, after);
    const left = owners.map((owner) => (owner === mine ? owner : disown(owner, changed)));
    return withOwners(after, put(left, { ...writer, operation: 'Apply', fields }));
  };
}

/** What the config sets to something else than it is. */
function differing(before: Document, config: Document, fields: Fields): Fields {
  return filter(fields, (path) => {
    return !isDeepStrictEqual(valueAt(config, path), valueAt(before, path));
  });
}

function refuseConflicts(target: Target, others: readonly Owner[], differ: Fields): void {
  const causes = others.flatMap((owner) => {
    const held = pathsOf(differ).filter((path) => touches(owner.fields, only(path)));
    return held.map((path): Cause => {
      const field = path.map((name) => `.${name}`).join('');
      const message = `conflict with "${owner.manager}" using ${GROUP_VERSION}`;
      return { field, reason: 'FieldManagerConflict', message };
    });
  });
  if (causes.length === 0) return;
  const each = causes.map(({ field, message }) => `${message}: ${field}`).join('\n');
  const count = causes.length === 1 ? '1 conflict' : `${causes.length} conflicts`;
  throw new ApiError('Conflict', `Apply failed with ${count}: ${each}`, {
    name: target.name,
    causes,
  });
}

/** What this applier had set, no longer gives, and nobody else has set. */
function droppedBy(
  before: Fields,
  config: Document,
  others: readonly Owner[],
): readonly (readonly string[])[] {
  const left = filter(before, (path) => valueAt(config, path) === undefined);
  return pathsOf(left).filter((path) => !others.some(({ fields }) => touches(fields, only(path))));
}

/** Without these fields, and without the objects that this empties. */
function removed(doc: Document, paths: readonly (readonly string[])[]): Document {
  return paths.reduce<Document>((rest, path) => withoutPath(rest, path), doc);
}

function withoutPath(doc: Document, [name = '', ...below]: readonly string[]): Document {
  const value = doc[name];
  const { [name]: _, ...rest } = doc;
  if (below.length === 0) return rest;
  if (!isObject(value)) return doc;
  const left = withoutPath(value, below);
  return Object.keys(left).length === 0 ? rest : { ...doc, [name]: left };
}

/** Objects member by member, everything else as a whole. */
function merged(doc: Document, config: Document): Document {
  const members = new Map(Object.entries(doc));
  for (const [name, value] of Object.entries(config)) {
    const old = members.get(name);
    members.set(name, isObject(value) && isObject(old) ? merged(old, value) : value);
  }
  return Object.fromEntries(members);
}

/** In what is applied, null is as good as nothing. */
function withoutNulls(doc: Document): Document {
  const members = Object.entries(doc)
    .filter(([, value]) => value !== null)
    .map(([name, value]): [string, Json] => [name, isObject(value) ? withoutNulls(value) : value]);
  return Object.fromEntries(members);
}

function settable(doc: Document): Document {
  const { status: _, ...rest } = doc;
  return rest;
}
