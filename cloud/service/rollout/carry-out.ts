/** Carries out one move of a rollout: what it changes, and that it is done, in one transaction. */
import type { OutcomeState, RolloutCounts } from '@limpet/dmi/manifest';
import type { Held, Progress, RolloutDevice } from '../store/rollouts.ts';
import type { Writing } from '../store/store.ts';
import { changed } from './judge.ts';
import { sweep } from './kept.ts';
import { takeBack, tell } from './orders.ts';
import { type End, isActive, type Move, next } from './plan.ts';
import { situationOf } from './situation.ts';

export const NO_COUNTS: RolloutCounts = {
  total: 0,
  pending: 0,
  sent: 0,
  applied: 0,
  rejected: 0,
  expired: 0,
  skipped: 0,
  reverted: 0,
};

/** What was done, and what the rollout is then. */
export interface Done {
  readonly move: Move;
  readonly held: Held;
}

/** The next move, decided and made. Undefined when there is no such rollout. */
export async function step(
  tx: Writing,
  n: number,
  began: number,
  plan: typeof next = next,
): Promise<Done | undefined> {
  const held = await tx.rollouts.get(n);
  if (held === undefined || !(await standing(tx, held))) return undefined;
  const situation = await situationOf(tx, held, { now: tx.now(), began });
  const move = plan(situation);
  return { move, held: await carryOut(tx, held, move) };
}

/** Its object is there, and no later one of the same name. */
export async function standing({ objects }: Pick<Writing, 'objects'>, { n, id }: Held) {
  return (await objects.get('Rollout', id))?.n === n;
}

async function carryOut(tx: Writing, held: Held, move: Move): Promise<Held> {
  switch (move.do) {
    case 'choose':
    case 'wait':
      return held;
    case 'rest':
      await tx.rollouts.put(held, false);
      return held;
    case 'judge':
      return save(tx, held, await judged(tx, held, move.ends));
    case 'send': {
      const { batch, phase, limit, left } = move;
      const devices = await tx.rollouts.inState(held.n, 'pending', limit);
      const told = await tell(tx, held, { devices, batch });
      const { reason: _, ...progress } = await outcomes(tx, held, told);
      return save(tx, held, { ...progress, phase, batch, left });
    }
    case 'restore':
      return save(tx, held, await restored(tx, held, move.limit));
    case 'enter':
      return enter(tx, held, move);
  }
}

/** Stores it, with its object's version. */
export async function save(tx: Writing, held: Held, progress: Progress): Promise<Held> {
  const saved = { ...held, progress };
  await tx.rollouts.put(saved, isActive(held.terms, progress));
  await tx.wanted.observedRollout(held);
  return saved;
}

async function judged(tx: Writing, held: Held, ends: readonly End[]): Promise<Progress> {
  const flight = await tx.rollouts.at(
    held.n,
    ends.map(({ place }) => place),
  );
  const devices = new Map(flight.map((device) => [device.place, device]));
  const judgements: RolloutDevice[] = [];
  for (const { place, state, reason, stages, takeBack: back } of ends) {
    const device = devices.get(place);
    if (device === undefined) continue;
    const { orders: _, ...rest } = device;
    if (back) await takeBack(tx, device);
    judgements.push({ ...(back ? rest : device), state, stages, ...reason });
  }
  return outcomes(tx, held, judgements);
}

async function restored(tx: Writing, held: Held, limit: number): Promise<Progress> {
  const { n, progress } = held;
  const devices = await tx.rollouts.ordered(n, progress.reverted, limit);
  const judgements: RolloutDevice[] = [];
  for (const device of devices) {
    const left = await takeBack(tx, device);
    const { orders: _, code: __, message: ___, ...rest } = device;
    judgements.push(
      left.length === 0
        ? { ...rest, state: 'reverted' }
        : { ...rest, state: 'skipped', ...changed(left).reason },
    );
  }
  const last = devices.length < limit ? undefined : devices.at(-1)?.place;
  const after = await outcomes(tx, held, judgements);
  return { ...after, reverted: last ?? progress.counts.total };
}

/** Stores what became of devices, and counts it. */
async function outcomes(
  { rollouts }: Writing,
  { n, progress }: Held,
  devices: readonly RolloutDevice[],
): Promise<Progress> {
  const counts: Record<OutcomeState | 'total', number> = { ...progress.counts };
  const places = devices.map(({ place }) => place);
  for (const { state } of await rollouts.at(n, places)) counts[state] -= 1;
  for (const { state } of devices) counts[state] += 1;
  await rollouts.putDevices(devices);
  return { ...progress, counts };
}

async function enter(
  tx: Writing,
  held: Held,
  move: Extract<Move, { readonly do: 'enter' }>,
): Promise<Held> {
  const { reason: _, ended: __, ...before } = held.progress;
  const { phase, reason, forgiven = before.forgiven, pause } = move;
  const over = phase === 'Done' || phase === 'Reverted' || phase === 'Failed';
  const progress: Progress = {
    ...before,
    phase,
    forgiven,
    ...(reason && { reason }),
    ...(over && { ended: tx.now() }),
  };
  if (pause) await writePaused(tx, held);
  const saved = await save(
    tx,
    pause ? { ...held, terms: { ...held.terms, paused: true } } : held,
    progress,
  );
  if (over) await sweep(tx);
  return saved;
}

/** So that whoever reads its spec sees what to change to let it go on. */
async function writePaused(tx: Writing, { id }: Held): Promise<void> {
  const doc = (await tx.objects.get('Rollout', id))?.doc;
  if (doc?.kind !== 'Rollout') return;
  await tx.wanted.put(id, { ...doc, spec: { ...doc.spec, paused: true } });
}
