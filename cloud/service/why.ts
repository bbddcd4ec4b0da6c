/** Why a value is as it is, and what a node is busy with: asked of the node, of which the cloud keeps neither. */
import type { Explanation, NodeLoad } from '@limpet/dmi/manifest';
import type { Asked } from '#protocol';
import { ApiError, keyOf, noDevice, noProperty, notFound, type Target } from '#protocol/api';
import { explainAlone, explainJoined, type Known } from './explain.ts';
import type { Asking } from './hub/asks.ts';
import { modelOf } from './model-of.ts';
import type { CloudStore, Reading } from './store/store.ts';

/** Asks a node something that only it knows. */
export type Ask = (node: string, about: Asked, signal: AbortSignal) => Promise<Asking>;

/** Without a hub no node is connected. */
export const noNodes: { readonly ask: Ask } = {
  ask: (node) =>
    Promise.resolve({
      ok: false,
      code: 'NODE_OFFLINE',
      message: `node "${node}" is not connected`,
    }),
};

interface Parts {
  readonly store: CloudStore;
  readonly ask: Ask;
}

/** Names among which what was meant is looked for. */
const NAMES = 2_000;

/** @throws ApiError NotFound, with what was probably meant */
export async function explainThere(
  { store, ask }: Parts,
  { target, property }: { readonly target: Target; readonly property: string },
  signal: AbortSignal,
): Promise<Explanation> {
  const look = (): Promise<Known> =>
    store.read(async (reading) => {
      const known = await knownOf(reading, target, property);
      return { ...known, nowMs: store.now(), failing: store.failing() };
    });
  const { node } = (await look()).device.spec;
  const asking = await ask(node, { kind: 'why', device: keyOf(target), property }, signal);
  // Looked at after the answer: what the edge says is acknowledged must be here by now.
  const known = await look();
  if (!asking.ok) return explainAlone(known, asking);
  const there = asking.told.kind === 'why' ? asking.told.explanation : null;
  return there === null ? explainAlone(known, undefined) : explainJoined(known, there);
}

/** @throws ApiError NotFound; ServiceUnavailable saying why the node does not tell */
export async function loadThere(
  { store, ask }: Parts,
  target: Target,
  signal: AbortSignal,
): Promise<NodeLoad> {
  const node = await store.read(({ view }) => view.get('Node', target.name));
  if (node === undefined) throw notFound(target);
  const asking = await ask(target.name, { kind: 'load' }, signal);
  if (asking.ok && asking.told.kind === 'load') return asking.told.load;
  const why = asking.ok
    ? `node "${target.name}" answered something else (ANSWER_INVALID)`
    : `${asking.message} (${asking.code})`;
  throw new ApiError('ServiceUnavailable', why);
}

async function knownOf(
  { view, objects, mirrors, nodes, sql }: Reading,
  target: Target,
  property: string,
): Promise<Omit<Known, 'nowMs' | 'failing'>> {
  const id = keyOf(target);
  const device = await view.get('Device', id);
  if (device?.kind !== 'Device') throw noDevice(target, await namesNear(sql, target));
  const properties = (await modelOf(objects, device))?.spec.properties;
  const declared = properties?.find(({ name }) => name === property);
  if (properties && !declared) {
    // Without its model it is the model that is wrong.
    const names = properties.map(({ name }) => name);
    throw noProperty(target, property, names);
  }
  return {
    device,
    property,
    unit: declared?.unit,
    mirrored: (await mirrors.get(id, property))?.reported,
    nodeSeenMs: (await nodes.get(device.spec.node))?.lastSeen,
  };
}

export async function namesNear(sql: Reading['sql'], target: Target): Promise<readonly string[]> {
  const rows = await sql.all<{ id: string }>(
    `SELECT id FROM objects WHERE kind = 'Device' AND (name = $1 OR namespace = $2) LIMIT $3`,
    target.name,
    target.namespace ?? 'default',
    NAMES,
  );
  return rows.map(({ id }) => id);
}
