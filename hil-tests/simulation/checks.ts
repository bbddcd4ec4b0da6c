/** What must be true once nothing happens any more. */
import { isDeepStrictEqual } from 'node:util';
import type { Id, StateRow } from '@limpet/dmi/manifest';
import type { Taken } from './ledger.ts';
import { DEVICES, LOCAL, PROPERTIES } from './plant.ts';
import type { SimEdge } from './sim-edge.ts';
import type { World } from './world.ts';

const ROUNDS = 400;

/** Heals everything, lets it settle, and compares both halves. */
export async function settleAndCheck(world: World): Promise<void> {
  for (const late of world.ghosts.splice(0)) world.cloud.leave(late);
  await settle(world);
  for (const edge of world.edges) for (const id of DEVICES) edge.read(id, world.registers(id));
  for (const edge of world.edges) edge.read(LOCAL, world.registers(LOCAL));
  await settle(world);
  for (const id of [...DEVICES, LOCAL]) await checkDevice(world, id);
  for (const edge of world.edges) checkRows(world, edge);
  for (const taken of world.ledger.all()) await checkTaken(world, taken);
}

async function checkTaken(world: World, taken: Taken): Promise<void> {
  const { device, property, rev, value } = taken;
  const [declared, kept] = await world.cloud.read(async ({ objects, desired }) => {
    return [await objects.has('Device', device), await desired.get(device, property)];
  });
  if (!declared && mayBeLost(world, taken)) return;
  if (!declared) world.fail(`${device} is gone, and order ${rev} with it`);
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
  return device === LOCAL || world.restored;
}

async function settle(world: World): Promise<void> {
  for (let quiet = 0, round = 0; quiet < 3; round++) {
    if (round > ROUNDS) world.fail('the two halves do not come to rest');
    let moved = await world.cloud.turn();
    for (const edge of world.edges) {
      world.connect(edge);
      moved = world.deliver(edge) || moved;
      await world.cloud.rest();
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

async function checkDevice(world: World, id: Id): Promise<void> {
  const [wanted, model] = await world.cloud.read(async ({ objects }) => [
    await objects.get('Device', id),
    await objects.get('DeviceModel', id === LOCAL ? 'default/lm' : 'default/m'),
  ]);
  const owner = wanted?.doc.kind === 'Device' ? wanted.doc.spec.node : undefined;
  for (const edge of world.edges) {
    const held = edge.store.device(id);
    if (edge.node !== owner) {
      if (held !== undefined) world.fail(`${edge.node} still runs ${id}, which is on ${owner}`);
      continue;
    }
    if (!isDeepStrictEqual(held, wanted?.doc)) {
      world.fail(`${id} differs: ${JSON.stringify(held)} and ${JSON.stringify(wanted?.doc)}`);
    }
    if (!isDeepStrictEqual(edge.store.modelOf(id), model?.doc)) {
      world.fail(`the model of ${id} differs on ${edge.node}`);
    }
    for (const property of PROPERTIES) await checkProperty(world, edge, id, property);
  }
}

async function checkProperty(world: World, edge: SimEdge, id: Id, property: string): Promise<void> {
  const [order, mirror] = await world.cloud.read(async ({ desired, mirrors }) => [
    await desired.get(id, property),
    await mirrors.get(id, property),
  ]);
  const twin = edge.store.twin(id)?.properties.get(property);
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
