/** What must be true once nothing happens any more. */
import { isDeepStrictEqual } from 'node:util';
import type { Id, StateRow } from '@limpet/dmi/manifest';
import type { Taken } from './ledger.ts';
import { DEVICES, LOCAL, PROPERTIES } from './plant.ts';
import type { SimEdge } from './sim-edge.ts';
import type { World } from './world.ts';

const ROUNDS = 400;

/** Heals everything, lets it settle, and compares both halves. */
export function settleAndCheck(world: World): void {
  for (const late of world.ghosts.splice(0)) world.cloud.leave(late);
  settle(world);
  for (const edge of world.edges) for (const id of DEVICES) edge.read(id, world.registers(id));
  for (const edge of world.edges) edge.read(LOCAL, world.registers(LOCAL));
  settle(world);
  for (const id of [...DEVICES, LOCAL]) checkDevice(world, id);
  for (const edge of world.edges) checkRows(world, edge);
  for (const taken of world.ledger.all()) checkTaken(world, taken);
}

function checkTaken(world: World, taken: Taken): void {
  if (mayBeLost(world, taken)) return;
  const { device, property, rev, value } = taken;
  const { objects, desired } = world.cloud.store;
  if (!objects.has('Device', device)) world.fail(`${device} is gone, and order ${rev} with it`);
  const kept = desired.get(device, property);
  if (kept === undefined || kept.rev < rev) {
    return world.fail(`order ${rev} for ${device}/${property} is lost`);
  }
  if (kept.rev === rev && kept.value !== value) world.fail(`order ${rev} changed its value`);
}

/**
 * Removed by its files, or before the copy that the cloud was restored from: the cloud took the order before an
 * edge told it so.
 */
function mayBeLost(world: World, { device }: Taken): boolean {
  const { objects } = world.cloud.store;
  return !objects.has('Device', device) && (device === LOCAL || world.restored);
}

function settle(world: World): void {
  for (let quiet = 0, round = 0; quiet < 3; round++) {
    if (round > ROUNDS) world.fail('the two halves do not come to rest');
    let moved = world.cloud.turn();
    for (const edge of world.edges) {
      world.connect(edge);
      moved = world.deliver(edge) || moved;
      moved = carryOut(world, edge) || moved;
      edge.changed();
      moved = (edge.connection?.up.length ?? 1) > 0 || moved;
    }
    world.advance(20);
    quiet = moved ? 0 : quiet + 1;
  }
}

function carryOut(world: World, edge: SimEdge): boolean {
  const before = edge.store.seq();
  for (const id of edge.store.devices()) {
    edge.reconcile(id, world.registers(id), () => false);
  }
  return edge.store.seq() !== before;
}

function checkDevice(world: World, id: Id): void {
  const { store } = world.cloud;
  const wanted = store.objects.get('Device', id);
  const owner = store.objects.nodeOf(id);
  for (const edge of world.edges) {
    const held = edge.store.device(id);
    if (edge.node !== owner) {
      if (held !== undefined) world.fail(`${edge.node} still runs ${id}, which is on ${owner}`);
      continue;
    }
    if (!isDeepStrictEqual(held, wanted?.doc)) {
      world.fail(`${id} differs: ${JSON.stringify(held)} and ${JSON.stringify(wanted?.doc)}`);
    }
    const model = store.objects.get('DeviceModel', id === LOCAL ? 'default/lm' : 'default/m');
    if (!isDeepStrictEqual(edge.store.modelOf(id), model?.doc)) {
      world.fail(`the model of ${id} differs on ${edge.node}`);
    }
    for (const property of PROPERTIES) checkProperty(world, edge, id, property);
  }
}

function checkProperty(world: World, edge: SimEdge, id: Id, property: string): void {
  const { store } = world.cloud;
  const twin = edge.store.twin(id)?.properties.get(property);
  const order = store.desired.get(id, property);
  const mirror = store.mirrors.get(id, property);
  const key = `${id}/${property}`;
  const there = twin?.desired && { rev: twin.desired.rev, value: twin.desired.value };
  const here = order && { rev: order.rev, value: order.value };
  same(world, `what is wanted of ${key}`, here, there);
  same(world, `what is reported of ${key}`, mirror?.reported, twin?.reported);
  if (twin?.desired === undefined) return;
  const { rev, verdict } = twin.desired;
  if (verdict === 'pending') world.fail(`${key}: order ${rev} was never carried out`);
  const { judged } = mirror ?? {};
  const mirrored = judged && { rev: judged.rev, verdict: judged.verdict };
  same(world, `the verdict of ${key}`, mirrored, { rev, verdict });
}

function same(world: World, what: string, cloud: unknown, edge: unknown): void {
  if (isDeepStrictEqual(cloud, edge)) return;
  world.fail(`${what}: ${JSON.stringify(cloud)} in the cloud, ${JSON.stringify(edge)} at the edge`);
}

/** However long an edge was away, it owes one row for each key. */
function checkRows(world: World, edge: SimEdge): void {
  edge.store.resumeFrom(0);
  const rows = edge.store.rowsAfter(0, { rows: 1_000_000, bytes: 1_000_000_000 });
  const keys = new Set(rows.map(keyOf));
  if (keys.size !== rows.length)
    world.fail(`${edge.node} owes ${rows.length} rows for ${keys.size} keys`);
}

function keyOf(row: StateRow): string {
  switch (row.kind) {
    case 'property':
      return `property ${row.device}/${row.property}`;
    case 'device':
      return `device ${row.device}`;
    case 'resource':
      return `resource ${row.type} ${row.id}`;
  }
}
