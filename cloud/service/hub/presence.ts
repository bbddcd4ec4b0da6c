/** A node comes and goes: what that changes in the store. Runs inside a transaction. */
import { API_VERSION } from '@limpet/dmi/manifest';
import type { FromEdge } from '#protocol';
import type { Writing } from '../store/store.ts';
import { MAX_STRAYS } from '../store/mirrors.ts';

/** Where the two streams of a node go on. */
export interface Joined {
  /** Of this epoch's rows the cloud has everything up to here. */
  readonly seq: number;
  /** The edge has everything wanted up to here. */
  readonly cursor: number;
  /** Rows kept about devices that nobody declared. */
  readonly strays: number;
}

export async function join(
  tx: Writing,
  { node, epoch, rev, facts }: Extract<FromEdge, { readonly type: 'hello' }>,
): Promise<Joined> {
  const { nodes, objects, wanted, tombstones, mirrors, line } = tx;
  const known = await nodes.get(node);
  // A cloud restored from an older copy may give a position out again that the edge knows from the lost history:
  // only what this history recorded as stored counts. At worst a page is sent twice.
  const cursor = Math.min(rev, known?.stored ?? 0);
  line.saw(rev);
  const seq = known?.epoch === epoch ? known.seq : 0;
  const lastSeen = tx.now();
  await nodes.put({ name: node, state: 'online', lastSeen, facts, epoch, seq, stored: cursor });
  if (!(await objects.has('Node', node))) {
    const doc = {
      apiVersion: API_VERSION,
      kind: 'Node',
      metadata: { name: node },
      spec: {},
    } as const;
    await wanted.put(node, doc);
  }
  if (known?.state === 'online') await wanted.observed(node);
  else await wanted.presence(node);
  for (const id of await tombstones.passed(node, cursor)) await mirrors.dropStrays(id, node);
  await tombstones.pruneAny();
  return { seq, cursor, strays: await mirrors.strays(node, MAX_STRAYS) };
}

/** Nobody speaks for the node any more. */
export async function leave(tx: Writing, node: string): Promise<void> {
  const known = await tx.nodes.get(node);
  if (known?.state !== 'online') return;
  await tx.nodes.put({ ...known, state: 'offline', lastSeen: tx.now() });
  await tx.wanted.presence(node);
}

/** After a start nobody is connected, whatever was true when the service ended. */
export async function leaveAll(tx: Writing): Promise<void> {
  for (const name of await tx.nodes.online()) {
    const known = await tx.nodes.get(name);
    if (!known) continue;
    await tx.nodes.put({ ...known, state: 'offline' });
    await tx.wanted.presence(name);
  }
}
