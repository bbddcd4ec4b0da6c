/** Writes down the devices of a rollout, a page at a time, each with what was desired of it before. */
import type { Json } from '@limpet/dmi';
import type { Held, RolloutDevice, Was } from '../store/rollouts.ts';
import type { Reading, Writing } from '../store/store.ts';
import { save } from './carry-out.ts';
import { MOST_DEVICES } from './kept.ts';
import { knownOf } from './situation.ts';

/** What the query language does for rollouts. */
export interface Language {
  /** What an UPDATE says. @throws ApiError BadRequest, with the place of the fault */
  read(tables: Pick<Reading, 'objects' | 'names'>, text: string, now: number): Promise<Update>;
  /** Ids of devices of a namespace that fit, above `after` and in order. `now`: what its `now()` is. */
  devices(reading: Reading, asked: Asked): Promise<readonly string[]>;
}

export interface Update {
  readonly set: ReadonlyMap<string, Json>;
  readonly dryRun: boolean;
  readonly canary?: { readonly count: number } | { readonly percent: number };
  readonly batch?: number;
  readonly stopAfter?: number;
  readonly timeoutMs?: number;
  readonly expiresMs?: number;
}

export interface Asked {
  readonly query: string;
  readonly namespace: string;
  readonly now: number;
  readonly after: string;
  readonly limit: number;
}

/** Devices written down in one transaction. */
export const CHOSEN_AT_ONCE = 200;

/** The next devices that fit. */
export function nextDevices(
  language: Language,
  reading: Reading,
  { id, terms: { query }, progress: { started: now, last: after } }: Held,
): Promise<readonly string[]> {
  const namespace = id.slice(0, id.indexOf('/'));
  return language.devices(reading, { query, namespace, now, after, limit: CHOSEN_AT_ONCE });
}

/** Unless something has changed since they were looked for. */
export async function writeDown(
  tx: Writing,
  { n, progress: { last } }: Held,
  ids: readonly string[],
): Promise<void> {
  const held = await tx.rollouts.get(n);
  if (held === undefined || held.terms.revert) return;
  const { progress } = held;
  if (progress.phase !== 'Planned' || progress.chosen || progress.last !== last) return;
  const { counts } = progress;
  const total = counts.total + ids.length;
  if (total > MOST_DEVICES) {
    const message = `more than ${MOST_DEVICES} devices fit: split the condition`;
    const reason = { code: 'ROLLOUT_TOO_LARGE', message };
    await save(tx, held, { ...progress, phase: 'Failed', reason, ended: tx.now() });
    return;
  }
  const devices = await withBefore(tx, held, ids);
  await tx.rollouts.putDevices(devices);
  const gone = ids.length - devices.length;
  await save(tx, held, {
    ...progress,
    counts: { ...counts, total: total - gone, pending: counts.pending + devices.length },
    last: ids.at(-1) ?? last,
    chosen: ids.length < CHOSEN_AT_ONCE,
  });
}

/** Those that are there still. */
async function withBefore(
  tx: Writing,
  { n, terms, progress }: Held,
  ids: readonly string[],
): Promise<readonly RolloutDevice[]> {
  const owned = new Map((await tx.objects.owned(ids)).map(({ id, n: dev }) => [id, dev]));
  const present = ids.flatMap((device) => {
    const dev = owned.get(device);
    return dev === undefined ? [] : [{ device, dev }];
  });
  const properties = Object.keys(terms.set);
  const known = await knownOf(tx, present, properties);
  return present.map(({ device, dev }, index) => {
    const was = properties.flatMap((name): [string, Was][] => {
      const order = known.get(device)?.get(name)?.order;
      if (order === undefined) return [];
      const { value, rev, expires } = order;
      return [[name, { value, rev, ...(expires !== undefined && { expires }) }]];
    });
    const place = progress.counts.total + index + 1;
    return {
      rollout: n,
      place,
      dev,
      device,
      state: 'pending' as const,
      was: Object.fromEntries(was),
    };
  });
}
