/** A node comes and goes: what that changes in the store. Runs inside a transaction. */
import { API_VERSION } from '@limpet/dmi/manifest';
import type { FromEdge } from '#protocol';
import type { CloudStore } from '../store/store.ts';
import { MAX_STRAYS } from './apply-report.ts';

/** Where the two streams of a node go on. */
export interface Joined {
  /** Of this epoch's rows the cloud has everything up to here. */
  readonly seq: number;
  /** The edge has everything wanted up to here. */
  readonly cursor: number;
  /** Rows kept about devices that nobody declared. */
  readonly strays: number;
}

export function join(
  store: CloudStore,
  { node, epoch, rev, facts }: Extract<FromEdge, { readonly type: 'hello' }>,
): Joined {
  const { nodes, objects, wanted, tombstones, mirrors, line } = store;
  const known = nodes.get(node);
  // A cloud restored from an older copy may give a position out again that the edge knows from the lost history:
  // only what this history recorded as stored counts. At worst a page is sent twice.
  const cursor = Math.min(rev, known?.stored ?? 0);
  line.saw(rev);
  const seq = known?.epoch === epoch ? known.seq : 0;
  nodes.put({
    name: node,
    state: 'online',
    lastSeen: store.now(),
    facts,
    epoch,
    seq,
    stored: cursor,
  });
  if (!objects.has('Node', node)) {
    wanted.put(node, { apiVersion: API_VERSION, kind: 'Node', metadata: { name: node }, spec: {} });
  }
  if (known?.state === 'online') wanted.observed('Node', node);
  else wanted.presence(node);
  for (const id of tombstones.passed(node, cursor)) mirrors.dropStrays(id, node);
  tombstones.pruneAny();
  return { seq, cursor, strays: mirrors.strays(node, MAX_STRAYS) };
}

/** Unless another life of the edge has come meanwhile. */
export function leave(store: CloudStore, node: string, epoch: string): void {
  const known = store.nodes.get(node);
  if (known?.state !== 'online' || known.epoch !== epoch) return;
  store.nodes.put({ ...known, state: 'offline', lastSeen: store.now() });
  store.wanted.presence(node);
}

/** After a start nobody is connected, whatever was true when the service ended. */
export function leaveAll(store: CloudStore): void {
  for (const name of store.nodes.online()) {
    const known = store.nodes.get(name);
    if (!known) continue;
    store.nodes.put({ ...known, state: 'offline' });
    store.wanted.presence(name);
  }
}
