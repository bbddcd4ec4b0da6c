/** What an edge says of a resource: adopted, refused, or answered with what it has missed. */
import { API_VERSION, checkResource, type Device } from '@limpet/dmi/manifest';
import type { Id, ResourceRow } from '#protocol';
import type { StoredDoc } from '../store/objects.ts';
import type { Writing } from '../store/store.ts';

/** What was gathered of devices and is not in the database yet. */
export interface Changes {
  flush(): Promise<void>;
}

export interface Saying {
  readonly tx: Writing;
  /** Who says it. */
  readonly node: string;
  readonly changes: Changes;
}

/** `foreign`: not this node's to say. `invalid`: not well formed. */
export type Said = 'changed' | 'known' | 'foreign' | 'invalid';

export function applyResource(saying: Saying, row: ResourceRow): Promise<Said> {
  return row.type === 'Device' ? deviceDoc(saying, row) : modelDoc(saying, row);
}

async function deviceDoc(saying: Saying, row: ResourceRow): Promise<Said> {
  const { tx, node } = saying;
  const owner = await tx.objects.nodeOf(row.id);
  if (row.doc === null) {
    // Of a device elsewhere this is only the echo of its having moved away.
    return owner === node ? gone(saying, row) : 'known';
  }
  const { doc } = row;
  const allowed = doc.kind === 'Device' && mayDeclare({ node, owner }, row, doc);
  if (allowed && (await newer(saying, row))) return adopt(saying, row, withoutDesired(doc));
  const held = await tx.objects.get('Device', row.id);
  const rev = held?.rev ?? 0;
  const moved = owner !== undefined && owner !== node && rev > row.rev;
  if (moved) await tx.wanted.bury(node, 'Device', row.id, rev);
  return allowed ? 'known' : 'foreign';
}

/** Another node's device only with a rev of ours (even): a move that the cloud made and lost, restored from an older copy. */
function mayDeclare(
  { node, owner }: { readonly node: string; readonly owner: string | undefined },
  { rev }: ResourceRow,
  { spec }: Device,
): boolean {
  if (spec.node !== node) return false;
  return owner === undefined || owner === node || rev % 2 === 0;
}

async function modelDoc(saying: Saying, row: ResourceRow): Promise<Said> {
  const { doc } = row;
  if (doc === null) return gone(saying, row);
  return (await newer(saying, row)) ? adopt(saying, row, doc) : 'known';
}

/** At the same rev a document beats its deletion: the one is the move to a node, the other the move away from the last. */
async function newer({ tx, node }: Saying, { type, id, rev }: ResourceRow): Promise<boolean> {
  const { objects, deletions, wanted } = tx;
  const held = await objects.get(type, id);
  if (held) return rev > held.rev;
  const deletion = await deletions.get(type, id);
  if (deletion === undefined || rev >= deletion.rev) return true;
  // It was deleted while this edge, or its disk, was elsewhere.
  await wanted.bury(node, type, id, deletion.rev);
  return false;
}

async function gone({ tx, node, changes }: Saying, { type, id, rev }: ResourceRow): Promise<Said> {
  const { objects, wanted, line } = tx;
  const held = await objects.get(type, id);
  if (held === undefined || rev <= held.rev) return 'known';
  await changes.flush();
  line.saw(rev);
  const { namespace = 'default', name } = held.doc.metadata;
  const users = type === 'DeviceModel' ? await objects.nodesOfModel(namespace, name) : [];
  // What other nodes use is not one node's to delete: with a new rev it goes out again.
  if (users.some((user) => user !== node)) await wanted.put(id, held.doc);
  else await wanted.remove(held, rev);
  return 'changed';
}

async function adopt(
  { tx, changes }: Saying,
  { id, rev }: ResourceRow,
  doc: StoredDoc,
): Promise<Said> {
  const checked = checkResource(doc);
  const { name, namespace = 'default' } = doc.metadata;
  if (!checked.ok || id !== `${namespace}/${name}`) return 'invalid';
  await changes.flush();
  tx.line.saw(rev);
  await tx.wanted.put(id satisfies Id, doc, rev);
  return 'changed';
}

function withoutDesired({ metadata, spec }: Device): Device {
  const { desired: _, ...rest } = spec;
  return { apiVersion: API_VERSION, kind: 'Device', metadata, spec: rest };
}
