/** What may happen in one step of a life, and how often. */
import { Connection } from './connection.ts';
import type { Taken } from './ledger.ts';
import { device, DEVICES, LOCAL, model, NODES } from './plant.ts';
import type { SimEdge } from './sim-edge.ts';
import { anyDevice, anyProperty, anyWish, type World } from './world.ts';

type Happening = readonly [
  weight: number,
  happen: (world: World, edge: SimEdge) => void | Promise<void>,
];

const reconcile = (world: World, edge: SimEdge): void => {
  const { chance } = world;
  const id = anyDevice(chance);
  let cut = false;
  const stop = (): boolean => (cut ||= chance.is(0.05));
  edge.reconcile(id, world.registers(id), stop);
  if (cut) restart(world, edge, { powerLost: chance.next() });
};

const restart = (world: World, edge: SimEdge, how: Parameters<SimEdge['restart']>[0]): void => {
  world.note(`${edge.node} restarts: ${JSON.stringify(how)}`);
  if (edge.connection !== undefined) world.ghosts.push(edge.connection);
  edge.restart(how);
};

/** The disk of the edge is lost: what only it knew is gone with it, and its files are applied anew. */
const loseDisk = async (world: World, edge: SimEdge): Promise<void> => {
  restart(world, edge, world.chance.of(['wiped', 'corrupted']));
  world.cloud.memory.excuse(edge.node);
  await keepHeld(world);
};

/** Of the orders only those still count that somebody holds. */
const keepHeld = async (world: World): Promise<void> => {
  const held = new Set<Taken>();
  for (const taken of world.ledger.all()) {
    const { device: id, property, rev } = taken;
    if (await world.held(property, id, rev)) held.add(taken);
  }
  world.ledger.keep((taken) => held.has(taken));
};

const restoreCloud = async (world: World): Promise<void> => {
  const { cloud, backup } = world;
  if (backup === undefined) return;
  world.note('cloud restored from its copy');
  await cloud.restart(backup);
  world.restored = true;
  // Longer than the half-microsecond that two histories would need to issue the same rev.
  world.advance(1000);
  await keepHeld(world);
};

/** A repeated connection: everything one said before, said again on another. */
const repeat = async (world: World, edge: SimEdge): Promise<void> => {
  const { connection } = edge;
  if (connection === undefined) return;
  world.note(`the connection of ${edge.node} is repeated`);
  // Old reports, said again, put back old values until the edge itself returns.
  world.cloud.memory.excuse(edge.node);
  const again = new Connection(edge.node, connection.epoch);
  world.cloud.accept(again);
  again.up.push(...connection.said);
  world.ghosts.push(again);
  while (again.deliverUp() !== undefined) await world.cloud.turn();
};

const files = (world: World, edge: SimEdge): void => {
  if (edge.node !== NODES[0]) return;
  const { chance } = world;
  const text = `file ${chance.below(3)}`;
  const none = chance.is(0.2);
  world.note(`${edge.node} applies its files: ${none ? 'none' : text}`);
  edge.files(none ? [] : [model('files', 'lm'), device(LOCAL, edge.node, text)]);
  // Orders go with the device that they were for.
  if (none) world.ledger.drop(LOCAL);
};

/** The narrowest moment: a reading reaches the cloud, and the power goes before it reaches the edge's own disk. */
const cutBehindReport = async (world: World, edge: SimEdge): Promise<void> => {
  world.connect(edge);
  const talk = async (): Promise<void> => {
    edge.changed();
    for (let i = 0; i < 4; i++) {
      await world.cloud.turn();
      world.deliver(edge);
      await world.cloud.rest();
    }
  };
  await talk();
  const id = anyDevice(world.chance);
  world.registers(id).set(anyProperty(world.chance), 100 + world.chance.below(100));
  edge.read(id, world.registers(id));
  await talk();
  restart(world, edge, { powerLost: world.chance.next() });
  world.connect(edge);
  await talk();
};

const ghost = (world: World): void => {
  const [late] = world.ghosts;
  if (late === undefined) return;
  if (late.deliverUp() === undefined || world.chance.is(0.3)) {
    world.ghosts.shift();
    world.cloud.leave(late);
  }
};

const HAPPENINGS: readonly Happening[] = [
  [30, (world, edge) => void world.deliver(edge)],
  [20, async (world) => void (await world.cloud.turn())],
  [10, (_world, edge) => edge.changed()],
  [8, (world, edge) => world.connect(edge)],
  [10, (world) => world.advance(world.chance.below(30))],
  [1, (world) => world.advance(world.chance.below(60_000))],
  [
    8,
    (world) => {
      const { chance } = world;
      world.registers(anyDevice(chance)).set(anyProperty(chance), chance.below(100));
    },
  ],
  [
    10,
    (world, edge) => {
      const id = anyDevice(world.chance);
      edge.read(id, world.registers(id));
    },
  ],
  [8, reconcile],
  [6, (world) => world.order(anyWish(world.chance))],
  [2, (world) => world.order(anyWish(world.chance, world.chance.below(40)))],
  [1, (world) => world.order({ ...anyWish(world.chance), value: null })],
  [
    4,
    (world, edge) => {
      const { chance } = world;
      const expires = chance.is(0.2) ? 1 + chance.below(40) : undefined;
      return world.localOrder(edge, anyWish(chance, expires));
    },
  ],
  [
    3,
    (world) => {
      const { chance } = world;
      world.place(chance.of(DEVICES), chance.of(NODES), `text ${chance.below(3)}`);
    },
  ],
  [1, (world) => world.remove(world.chance.of(DEVICES))],
  [1, (world) => world.remodel(`model ${world.chance.below(3)}`)],
  [1, files],
  [4, (world, edge) => world.cut(edge)],
  [4, ghost],
  [1, repeat],
  [1, (world, edge) => restart(world, edge, 'killed')],
  [1, (world, edge) => restart(world, edge, { powerLost: world.chance.next() })],
  [2, cutBehindReport],
  [0.2, loseDisk],
  [
    1,
    (world) => {
      world.note('cloud restarts');
      return world.cloud.restart();
    },
  ],
  [
    1.5,
    async (world) => {
      world.note('cloud is copied');
      world.backup = await world.cloud.backup();
    },
  ],
  [1, restoreCloud],
  [
    0.3,
    (world, edge) => {
      const by = (world.chance.next() - 0.5) * 7_200_000;
      world.note(`clock of ${edge.node} set by ${Math.round(by)} ms`);
      edge.clock.set(by);
      if (by < 0) world.cloud.memory.excuse(edge.node);
    },
  ],
  [0.3, (world) => world.cloud.clock.set((world.chance.next() - 0.5) * 7_200_000)],
];

const TOTAL = HAPPENINGS.reduce((sum, [weight]) => sum + weight, 0);

/** One step: chance decides what. */
export async function happen(world: World): Promise<void> {
  let at = world.chance.next() * TOTAL;
  const edge = world.chance.of(world.edges);
  for (const [weight, step] of HAPPENINGS) {
    at -= weight;
    if (at >= 0) continue;
    await step(world, edge);
    return world.cloud.rest();
  }
}
