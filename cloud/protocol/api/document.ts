/** Whether a document agrees with the path it was sent to. Its spec is the backend's to judge. */
import type { Json } from '@limpet/dmi';
import type { Document, RemoveOptions, Target } from './backend.ts';
import { GROUP_VERSION, KINDS } from './kinds.ts';
import { isName } from './names.ts';
import type { Scope } from './place.ts';
import { badRequest, type Cause, invalid } from './status.ts';

/** A new document and where it goes; without a namespace it takes the path's. @throws ApiError Invalid */
export function placeNew(scope: Scope, doc: Document): { target: Target; doc: Document } {
  const metadata = metadataOf(doc);
  const target = { ...scope, name: typeof metadata['name'] === 'string' ? metadata['name'] : '' };
  const causes = [...typeCauses(target, doc, 'required'), ...nameCauses(metadata)];
  causes.push(...memberCauses(metadata, 'namespace', scope.namespace));
  return { target, doc: completed(target, doc, causes) };
}

/** A document that replaces the target. @throws ApiError Invalid */
export function placeAt(target: Target, doc: Document): Document {
  const metadata = metadataOf(doc);
  const causes = typeCauses(target, doc, 'required');
  if (metadata['name'] === undefined) {
    causes.push(cause('metadata.name', 'FieldValueRequired', `expected ${q(target.name)}`));
  }
  causes.push(...memberCauses(metadata, 'name', target.name));
  causes.push(...memberCauses(metadata, 'namespace', target.namespace));
  return completed(target, doc, causes);
}

/** A merge patch may repeat what the resource is, not change it. @throws ApiError Invalid */
export function checkPatch(target: Target, patch: Document): void {
  const metadata = patch['metadata'] === undefined ? {} : metadataOf(patch);
  const causes = [
    ...typeCauses(target, patch, 'optional'),
    ...memberCauses(metadata, 'name', target.name),
    ...memberCauses(metadata, 'namespace', target.namespace),
  ];
  if (causes.length > 0) throw invalid(target, causes);
}

/** Kubernetes' DeleteOptions, as far as they mean something here. @throws ApiError BadRequest */
export function removeOptions(doc: Document): RemoveOptions {
  const dryRun = isDryRun(doc['dryRun']);
  const preconditions = doc['preconditions'] ?? {};
  if (!isObject(preconditions)) throw badRequest('preconditions: expected an object');
  const { uid, resourceVersion } = preconditions as Record<string, unknown>;
  for (const [name, value] of Object.entries({ uid, resourceVersion })) {
    if (value === undefined || typeof value === 'string') continue;
    throw badRequest(`preconditions.${name}: expected a string`);
  }
  return {
    ...(dryRun && { dryRun }),
    ...(typeof uid === 'string' && { uid }),
    ...(typeof resourceVersion === 'string' && { resourceVersion }),
  };
}

function isDryRun(words: Json | undefined): boolean {
  if (words === undefined) return false;
  const all = Array.isArray(words) && words.every((word) => word === 'All');
  if (!all) throw badRequest('dryRun: expected ["All"]');
  return words.length > 0;
}

function completed(target: Target, doc: Document, causes: readonly Cause[]): Document {
  if (causes.length > 0) throw invalid(target, causes);
  const { namespace } = target;
  if (namespace === undefined) return doc;
  return { ...doc, metadata: { ...metadataOf(doc), namespace } };
}

function metadataOf(doc: Document): Document {
  const metadata = doc['metadata'];
  if (isObject(metadata)) return metadata;
  throw badRequest('metadata: expected an object with at least a name');
}

function typeCauses(target: Target, doc: Document, presence: 'required' | 'optional'): Cause[] {
  const expected = { apiVersion: GROUP_VERSION, kind: KINDS[target.kind].kind };
  return Object.entries(expected).flatMap(([field, value]) => {
    const given = doc[field];
    if (given === value || (given === undefined && presence === 'optional')) return [];
    const reason = given === undefined ? 'FieldValueRequired' : 'FieldValueInvalid';
    return [cause(field, reason, `expected ${q(value)} at this path${found(given)}`)];
  });
}

function nameCauses(metadata: Document): Cause[] {
  const name = metadata['name'];
  if (isName(name)) return [];
  const expected = 'expected 1 to 253 of a-z 0-9 - . with a letter or digit at both ends';
  if (name !== undefined) {
    return [cause('metadata.name', 'FieldValueInvalid', `${expected}${found(name)}`)];
  }
  const hint = metadata['generateName'] === undefined ? '' : '; generateName is not supported';
  return [cause('metadata.name', 'FieldValueRequired', `${expected}${hint}`)];
}

/** `name` or `namespace`: absent, or the same as in the path. */
function memberCauses(metadata: Document, member: string, expected: string | undefined): Cause[] {
  const given = metadata[member];
  if (given === undefined || given === expected) return [];
  const message =
    expected === undefined
      ? `this kind has no ${member}; leave it out`
      : `expected ${q(expected)}, as in the path${found(given)}`;
  return [cause(`metadata.${member}`, 'FieldValueInvalid', message)];
}

function cause(field: string, reason: string, message: string): Cause {
  return { field, reason, message };
}

function found(given: unknown): string {
  if (given === undefined) return '';
  return `, found ${typeof given === 'string' ? q(given.slice(0, 80)) : kindOf(given)}`;
}

function kindOf(given: unknown): string {
  if (given === null) return 'null';
  return Array.isArray(given) ? 'an array' : `a value of type ${typeof given}`;
}

function q(text: string): string {
  return JSON.stringify(text);
}

function isObject(value: unknown): value is Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
