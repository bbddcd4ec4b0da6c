/** Lives of standing queries out of a seed: writes, reports, deletions, time, cuts, slow readers, restarts. */
import type { Random } from '#cloud/protocol/query/random.fixture.ts';
import { SimReader } from './sim-reader.fixture.ts';
import { type Break, CELL_MS, World } from './world.fixture.ts';

const QUERIES = [
  'SELECT device, temperature FROM devices WHERE temperature > 50',
  'SELECT device, state, reason FROM devices',
  "SELECT device, property, value, quality FROM properties WHERE quality <> 'good'",
  'SELECT property, value FROM properties',
  "SELECT device FROM devices WHERE labels.hall = 'north' AND drift(setpoint)",
  'SELECT device, verdict(setpoint), desired.setpoint FROM devices WHERE desired.setpoint IS NOT NULL',
  'SELECT node, state FROM nodes',
  "SELECT node FROM nodes WHERE state = 'online'",
  "SELECT device, node.labels.site, node.uptime FROM devices WHERE node.labels.site = 'north'",
  'SELECT device, node.uptime FROM devices WHERE node.uptime > 0',
  'SELECT model, properties, description FROM models',
  'SELECT device, model.description FROM devices',
  'SELECT model, count(*), max(temperature) FROM devices GROUP BY model',
  'SELECT count(*), avg(temperature) FROM devices',
  'SELECT state, count(*) FROM devices GROUP BY state HAVING count(*) > 1',
  'SELECT device, temperature FROM devices ORDER BY temperature DESC LIMIT 3',
  'SELECT device, age(temperature) FROM devices WHERE age(temperature) > 30s',
  'SELECT device, setpoint FROM devices WHERE age(setpoint) < 20s',
  'SELECT device FROM devices WHERE last_seen < now() - 40s',
  'SELECT node FROM nodes WHERE last_seen > now() - 30s',
  'SELECT device, at(temperature), age(temperature) FROM devices WHERE NOT age(temperature) > 1m ORDER BY age(temperature)',
  'SELECT DISTINCT serial FROM devices',
  "SELECT * FROM devices WHERE model = 'boiler'",
];

export interface Life {
  readonly seed: number;
  readonly folder: string;
  readonly steps: number;
  readonly broken?: Break;
}

export interface Lived {
  readonly events: number;
  readonly resets: number;
  readonly restarts: number;
  readonly cuts: number;
  readonly comparisons: number;
}

/** @throws AssertionError when a reader was told something wrong, or has not what there is. */
export async function live({ seed, folder, steps, broken }: Life): Promise<Lived> {
  const world = new World(seed, folder, { ...(broken && { broken }) });
  await world.start();
  const { random } = world;
  const chosen = Array.from({ length: 4 }, () => random.of(QUERIES));
  const readers = chosen.map((query) => new SimReader(query, world));
  const lived = { restarts: 0, cuts: 0, comparisons: 0 };
  try {
    for (let step = 0; step < steps; step++) {
      await world.happen();
      if ((await read(random.of(readers), random)) === 'cut') lived.cuts += 1;
      if (random.below(3) === 0) await within(world);
      if (random.below(150) === 0) {
        for (const each of readers) each.orphan();
        await world.restart();
        lived.restarts += 1;
      }
      if (random.below(40) !== 0) continue;
      await quiet(world, readers);
      for (const each of readers) await each.compare();
      lived.comparisons += 1;
      // What happens next happens at the beginning of a cell again.
      await world.advance(CELL_MS - (world.clock.monotonic() % CELL_MS));
    }
    await quiet(world, readers);
    for (const each of readers) await each.compare();
  } finally {
    for (const each of readers) each.orphan();
    await world.close();
  }
  const sum = (of: 'events' | 'resets'): number => readers.reduce((all, each) => all + each[of], 0);
  return { ...lived, events: sum('events'), resets: sum('resets') };
}

/** Sometimes it is slow, sometimes it is cut off. */
async function read(reader: SimReader, random: Random): Promise<'cut' | 'read'> {
  const what = random.below(20);
  if (!reader.connected) await reader.connect();
  else if (what === 0) {
    reader.cut(random.below(6));
    return 'cut';
  } else if (what < 14) reader.read();
  return 'read';
}

/** A little time, in the first half of the cell. */
async function within(world: World): Promise<void> {
  const { clock, random } = world;
  const at = clock.monotonic() % CELL_MS;
  if (at < CELL_MS / 5) await world.advance(1 + random.below(60));
}

/** Nothing happens until all have been told everything, long after anything flips by time. */
async function quiet(world: World, readers: readonly SimReader[]): Promise<void> {
  const { clock } = world;
  for (const each of readers) if (!each.connected) await each.connect();
  const at = clock.monotonic() % CELL_MS;
  await world.advance(Math.max(0, CELL_MS / 2 - at));
  // Two ticks, and all the turns that pages need.
  for (let left = 0; left < 30; left++) {
    for (const each of readers) each.read();
    await world.advance(100);
  }
  for (const each of readers) each.read();
}
