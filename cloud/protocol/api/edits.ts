/** What a request wants of a resource, as a function of what the resource is. Pure. */
import type { Json } from '@limpet/dmi';
import type { Resource } from '@limpet/dmi/manifest';
import type { Document, Edit, Target } from './backend.ts';
import { mergePatch } from './merge-patch.ts';
import { alreadyExists, notFound } from './status.ts';

/** POST: there must be none. */
export function creation(target: Target, doc: Document): Edit {
  return (now) => {
    if (now !== undefined) throw alreadyExists(target);
    return doc;
  };
}

/** PUT: there must be one. */
export function replacement(target: Target, doc: Document): Edit {
  return (now) => {
    if (now === undefined) throw notFound(target);
    return doc;
  };
}

/** RFC 7386. What a patch says of the status is not the user's to say. */
export function merging(target: Target, patch: Document): Edit {
  return (now) => {
    if (now === undefined) throw notFound(target);
    return mergePatch(settable(now), settable(patch)) as Document;
  };
}

/** The properties whose desired value a merge patch sets or withdraws. */
export function ordersOf(patch: Document): readonly string[] {
  const { spec } = patch;
  const desired = isObject(spec) ? spec['desired'] : undefined;
  return isObject(desired) ? Object.keys(desired) : [];
}

/** Without its status, which can be far larger than a document may be. */
export function settable(resource: Resource | Document): Json {
  const { status: _, ...rest } = resource as Document;
  return rest;
}

function isObject(value: Json | undefined): value is Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
