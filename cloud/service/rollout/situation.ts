/** Reads what the plan needs to know, from a transaction or from what is committed. */
import type { Reading, Writing } from '../store/store.ts';
import type { Held, RolloutDevice } from '../store/rollouts.ts';
import { spotKey } from '../store/mirrors.ts';
import { judge, type Known } from './judge.ts';
import type { Flying, Situation } from './plan.ts';

export type Tables = Pick<
  Reading & Writing,
  'names' | 'objects' | 'desired' | 'mirrors' | 'rollouts'
>;

/** More than any batch: all devices of a rollout that are under way. */
const MOST_FLYING = 2_000;

/**
 * Time runs for a device from when it was told, but not before this run of the service began: nobody listened before.
 */
export async function situationOf(
  tables: Tables,
  { n, terms, progress }: Held,
  { now, began }: { readonly now: number; readonly began: number },
): Promise<Situation & { readonly devices: readonly string[] }> {
  const devices = await tables.rollouts.inState(n, 'sent', MOST_FLYING);
  const known = await knownOf(tables, devices, Object.keys(terms.set));
  const flight = devices.map((device): Flying => {
    const since = Math.max(device.sent ?? 0, began);
    return { place: device.place, since, ...judge(device, known.get(device.device)) };
  });
  return { terms, progress, flight, now, devices: devices.map(({ device }) => device) };
}

/** What stands for these properties of each of these devices; nothing of those that are gone. */
export async function knownOf(
  { names, objects, desired, mirrors }: Tables,
  devices: readonly Pick<RolloutDevice, 'device' | 'dev'>[],
  properties: readonly string[],
): Promise<ReadonlyMap<string, ReadonlyMap<string, Known>>> {
  if (devices.length === 0) return new Map();
  const ids = devices.map(({ device }) => device);
  const owned = new Map((await objects.owned(ids)).map(({ id, n }) => [id, n]));
  const present = devices.filter(({ device, dev }) => owned.get(device) === dev);
  const pairs = present.flatMap(({ device }) => properties.map((name) => [device, name] as const));
  const orders = new Map(
    (await desired.many(pairs)).map((order) => [`${order.device} ${order.property}`, order]),
  );
  const spots = present.flatMap(({ dev }) => {
    return properties.flatMap((name) => {
      const prop = names.known(name);
      return prop === undefined ? [] : [{ dev, prop }];
    });
  });
  const mirrored = await mirrors.many(spots);
  const known = (device: string, dev: number, name: string): Known => {
    const prop = names.known(name);
    return {
      order: orders.get(`${device} ${name}`),
      mirror: prop === undefined ? undefined : mirrored.get(spotKey({ dev, prop })),
    };
  };
  return new Map(
    present.map(({ device, dev }) => [
      device,
      new Map(properties.map((name) => [name, known(device, dev, name)])),
    ]),
  );
}
