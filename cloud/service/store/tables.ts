/** The tables of the store, once for all engines; `schema.ts` makes them. */
import type { Row, Table } from './sql.ts';

/**
 * A resource as wanted. `rev` decides which of two wanted rows counts; `pos` is where a row stands in the stream to the
 * edges (the version at which it last changed *here*, also when an edge brought it with a rev of its own); `born` the version
 * at which it was created. `n` is its short name in other tables. See line.ts.
 */
export interface ObjectRow extends Row {
  readonly n: number;
  readonly kind: string;
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly node: string | null;
  readonly model: string | null;
  readonly rev: number;
  readonly pos: number;
  readonly born: number;
  readonly generation: number;
  readonly created: number;
}

export const OBJECTS: Table<ObjectRow> = {
  name: 'objects',
  columns: {
    n: 'integer',
    kind: 'text',
    id: 'text',
    namespace: 'text',
    name: 'text',
    uid: 'text',
    node: 'text',
    model: 'text',
    rev: 'integer',
    pos: 'integer',
    born: 'integer',
    generation: 'integer',
    created: 'integer',
  },
  key: ['kind', 'id'],
};

/** The document of a resource: apart, so that whoever counts resources does not read them. */
export interface DocRow extends Row {
  readonly n: number;
  readonly doc: string;
}

export const DOCS: Table<DocRow> = {
  name: 'docs',
  columns: { n: 'integer', doc: 'text' },
  key: ['n'],
};

/** The resourceVersion of a resource: apart and narrow, because each report moves it. */
export interface MarkRow extends Row {
  readonly n: number;
  readonly kind: string;
  readonly version: number;
}

export const MARKS: Table<MarkRow> = {
  name: 'marks',
  columns: { n: 'integer', kind: 'text', version: 'integer' },
  key: ['n'],
};

export interface LabelRow extends Row {
  readonly n: number;
  readonly key: string;
  readonly value: string;
}

export const LABELS: Table<LabelRow> = {
  name: 'labels',
  columns: { n: 'integer', key: 'text', value: 'text' },
  key: ['n', 'key'],
};

/** Who has set which fields of a resource, as JSON: for the API's server-side apply, of no concern to edges. */
export interface OwnersRow extends Row {
  readonly n: number;
  readonly fields: string;
}

export const OWNERS: Table<OwnersRow> = {
  name: 'owners',
  columns: { n: 'integer', fields: 'text' },
  key: ['n'],
};

/**
 * The mirror of one property of a declared device, as its present node says it. `value` is JSON with sorted keys, `num` and
 * `text` what it is compared by. Times in ms since 1970, edge clock.
 */
export interface MirrorRow extends Row {
  readonly dev: number;
  readonly prop: number;
  readonly value: string | null;
  readonly num: number | null;
  readonly text: string | null;
  readonly type: string | null;
  readonly quality: string | null;
  readonly at: number | null;
  readonly reason: string | null;
  readonly rev: number | null;
  readonly verdict: string | null;
  readonly verdict_reason: string | null;
  readonly stored: number | null;
  readonly sent: number | null;
  readonly confirmed: number | null;
}

export const MIRRORS: Table<MirrorRow> = {
  name: 'mirrors',
  columns: {
    dev: 'integer',
    prop: 'integer',
    value: 'text',
    num: 'real',
    text: 'text',
    type: 'text',
    quality: 'text',
    at: 'integer',
    reason: 'text',
    rev: 'integer',
    verdict: 'text',
    verdict_reason: 'text',
    stored: 'integer',
    sent: 'integer',
    confirmed: 'integer',
  },
  key: ['dev', 'prop'],
};

/** What the present node last said of a declared device as a whole. */
export interface ConditionRow extends Row {
  readonly n: number;
  readonly state: string;
  readonly reason: string | null;
  readonly last_seen: number | null;
}

export const CONDITIONS: Table<ConditionRow> = {
  name: 'conditions',
  columns: { n: 'integer', state: 'text', reason: 'text', last_seen: 'integer' },
  key: ['n'],
};

/** What a node said of a device that is not (yet, or any more) its own; property '' is the device as a whole. */
export interface StrayRow extends Row {
  readonly node: string;
  readonly device: string;
  readonly property: string;
  readonly row: string;
}

export const STRAYS: Table<StrayRow> = {
  name: 'strays',
  columns: { node: 'text', device: 'text', property: 'text', row: 'text' },
  key: ['node', 'device', 'property'],
};

/** A desired value; a withdrawn one stays as JSON `null`, so that its rev still counts. */
export interface DesiredRow extends Row {
  readonly device: string;
  readonly property: string;
  readonly node: string;
  readonly value: string;
  readonly rev: number;
  readonly pos: number;
  readonly accepted: number;
  readonly expires: number | null;
}

export const DESIRED: Table<DesiredRow> = {
  name: 'desired',
  columns: {
    device: 'text',
    property: 'text',
    node: 'text',
    value: 'text',
    rev: 'integer',
    pos: 'integer',
    accepted: 'integer',
    expires: 'integer',
  },
  key: ['device', 'property'],
};

export interface NodeRow extends Row {
  readonly name: string;
  readonly state: string;
  readonly facts: string;
  readonly epoch: string;
  readonly stored: number;
}

export const NODES: Table<NodeRow> = {
  name: 'nodes',
  columns: { name: 'text', state: 'text', facts: 'text', epoch: 'text', stored: 'integer' },
  key: ['name'],
};

/** How far a node's state rows are on disk, and when it was last heard: apart, because each report moves it. */
export interface ProgressRow extends Row {
  readonly node: string;
  readonly seq: number;
  readonly last_seen: number;
}

export const PROGRESS: Table<ProgressRow> = {
  name: 'progress',
  columns: { node: 'text', seq: 'integer', last_seen: 'integer' },
  key: ['node'],
};

export interface TombstoneRow extends Row {
  readonly node: string;
  readonly kind: string;
  readonly id: string;
  readonly rev: number;
  readonly pos: number;
}

export const TOMBSTONES: Table<TombstoneRow> = {
  name: 'tombstones',
  columns: { node: 'text', kind: 'text', id: 'text', rev: 'integer', pos: 'integer' },
  key: ['node', 'kind', 'id'],
};

export interface DeletionRow extends Row {
  readonly kind: string;
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly doc: string;
  readonly rev: number;
  readonly version: number;
}

export const DELETIONS: Table<DeletionRow> = {
  name: 'deletions',
  columns: {
    kind: 'text',
    id: 'text',
    namespace: 'text',
    name: 'text',
    uid: 'text',
    doc: 'text',
    rev: 'integer',
    version: 'integer',
  },
  key: ['kind', 'id'],
};

/** How far a rollout has come; `n` is that of its object, which may be gone already. `terms` and `progress` are JSON. */
export interface RolloutRow extends Row {
  readonly n: number;
  readonly id: string;
  /** 1 while there is something to do. */
  readonly active: number;
  /** Devices written down. */
  readonly total: number;
  readonly ended: number | null;
  readonly terms: string;
  readonly progress: string;
}

export const ROLLOUTS: Table<RolloutRow> = {
  name: 'rollouts',
  columns: {
    n: 'integer',
    id: 'text',
    active: 'integer',
    total: 'integer',
    ended: 'integer',
    terms: 'text',
    progress: 'text',
  },
  key: ['n'],
};

/**
 * One device of a rollout. `place` counts from 1. `was`: what was desired before; `orders`: what was ordered for it, until
 * that is taken back; `stages`: how far that came. All three are JSON, by property.
 */
export interface RolloutDeviceRow extends Row {
  readonly rollout: number;
  readonly place: number;
  readonly dev: number;
  readonly device: string;
  readonly state: string;
  readonly batch: number | null;
  readonly code: string | null;
  readonly message: string | null;
  readonly was: string;
  readonly orders: string | null;
  readonly stages: string | null;
  readonly sent: number | null;
}

export const ROLLOUT_DEVICES: Table<RolloutDeviceRow> = {
  name: 'rollout_devices',
  columns: {
    rollout: 'integer',
    place: 'integer',
    dev: 'integer',
    device: 'text',
    state: 'text',
    batch: 'integer',
    code: 'text',
    message: 'text',
    was: 'text',
    orders: 'text',
    stages: 'text',
    sent: 'integer',
  },
  key: ['rollout', 'place'],
};
