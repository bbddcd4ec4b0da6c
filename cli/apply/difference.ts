/** The merge-patch that makes what is there what the manifest says: pure. */
import type { Json } from '@limpet/dmi';
import type { Resource } from '@limpet/dmi/manifest';
import type { Document } from '../api.ts';

type Members = { readonly [key: string]: Json };

/**
 * Undefined when there is nothing to change. The manifest says all of the spec and of the labels; of desired values and
 * annotations only what it names, for others set them too.
 */
export function difference(present: Resource, wanted: Resource): Document | undefined {
  const { desired: desiredNow, ...specNow } = asMembers(present.spec);
  const { desired, ...spec } = asMembers(wanted.spec);
  const labels = replace(asMembers(present.metadata.labels), asMembers(wanted.metadata.labels));
  const annotations = add(
    asMembers(present.metadata.annotations),
    asMembers(wanted.metadata.annotations),
  );
  const orders = add(asMembers(desiredNow), asMembers(desired));
  const changed = {
    ...replace(specNow, spec),
    ...(orders !== undefined && { desired: orders }),
  };
  const metadata = {
    ...(labels !== undefined && { labels }),
    ...(annotations !== undefined && { annotations }),
  };
  const patch = {
    ...(Object.keys(metadata).length > 0 && { metadata }),
    ...(Object.keys(changed).length > 0 && { spec: changed }),
  };
  return Object.keys(patch).length > 0 ? patch : undefined;
}

/** Sets what differs and deletes what is no longer named, at every depth. */
function replace(now: Members, then: Members): Members | undefined {
  const patch: Record<string, Json> = { ...add(now, then) };
  for (const key of Object.keys(now)) if (!Object.hasOwn(then, key)) patch[key] = null;
  return Object.keys(patch).length > 0 ? patch : undefined;
}

/** Sets what differs; leaves what is not named. */
function add(now: Members, then: Members): Members | undefined {
  const patch: Record<string, Json> = {};
  for (const [key, value] of Object.entries(then)) {
    const before = Object.hasOwn(now, key) ? now[key] : undefined;
    if (before === undefined) patch[key] = value;
    else if (isMembers(before) && isMembers(value)) {
      const inner = replace(before, value);
      if (inner !== undefined) patch[key] = inner;
    } else if (!same(before, value)) patch[key] = value;
  }
  return Object.keys(patch).length > 0 ? patch : undefined;
}

function same(a: Json, b: Json): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => same(item as Json, b[index] as Json));
  }
  if (isMembers(a) && isMembers(b)) return replace(a, b) === undefined;
  return a === b;
}

function isMembers(value: Json): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Resources are made of JSON; their interfaces just do not say so. */
function asMembers(part: unknown): Members {
  return (part ?? {}) as Members;
}
