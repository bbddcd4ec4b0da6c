/** Where a mutant may put its hand: around the real objects, never inside them. */
import type { CloudSessionOptions } from '#cloud/service/hub/session.ts';
import { CloudSession } from '#cloud/service/hub/session.ts';
import type { CloudStore } from '#cloud/service/store/store.ts';
import { type SessionOptions, type SyncedTwins, SyncSession } from '#runtime/sync/session.ts';
import type { TwinStore } from '#runtime/twin/store.ts';
import type { NodeFacts } from '@limpet/dmi/manifest';
import type { CloudEnd, EdgeEnd } from './connection.ts';

export interface OpeningEdgeEnd extends EdgeEnd {
  opened(facts: NodeFacts): void;
}

export interface Variant {
  /** What the edge's session sees of its store. */
  readonly twins: (store: TwinStore) => SyncedTwins;
  readonly edgeSession: (options: SessionOptions) => OpeningEdgeEnd;
  /** What the cloud's sessions see of their store. */
  readonly cloudStore: (store: CloudStore) => CloudStore;
  readonly cloudSession: (options: CloudSessionOptions) => CloudEnd;
}

/** The product as it is. */
export const REAL: Variant = {
  twins: (store) => store,
  edgeSession: (options) => new SyncSession(options),
  cloudStore: (store) => store,
  cloudSession: (options) => new CloudSession(options),
};
