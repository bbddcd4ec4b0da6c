/**
 * What to give up when memory is short, and when to take it back (pure). Caches first, then samples not yet written, then
 * the least important running mapper, one after the other; each step gets time to show before the next.
 */
import type { ShedStep } from '@limpet/dmi/manifest';

export type Step = ShedStep['step'];

/** In the order of giving up, with the share of the budget at which each begins. */
export const STEPS: readonly { readonly step: Step; readonly at: number }[] = [
  { step: 'caches', at: 0.85 },
  { step: 'samples', at: 0.92 },
  { step: 'mapper', at: 1 },
];
/** Below this it is calm; between this and the first step nothing changes. */
const CALM = 0.75;
/** One look above is a garbage collection that is due. */
const IN_A_ROW = 3;
/** What a step has to show what it freed. */
const SETTLE_MS = 10_000;
/** Steps that did not help are tried again after so long, from the first one on; doubled each time. */
const AGAIN_MS = 60_000;
/** Calm this long before it counts, and before a mapper may come back; doubled each time that one had to go again soon after. */
const PATIENCE_MS = 60_000;
/** What doubles, doubles up to this. */
const MOST_MS = 3_600_000;
/** A mapper that had to go this soon after coming back was not affordable. */
const SOON_MS = 600_000;

export interface Ladder {
  /** How many steps were taken in this round. */
  readonly taken: number;
  /** After how long the next round begins. */
  readonly againMs: number;
  readonly inARow: number;
  readonly actedMs: number;
  readonly calmSinceMs: number | undefined;
  /** Mappers given up, the first one first. */
  readonly shed: readonly string[];
  readonly patienceMs: number;
  readonly resumedMs: number;
}

export const GROUND: Ladder = {
  taken: 0,
  againMs: AGAIN_MS,
  inARow: 0,
  actedMs: Number.NEGATIVE_INFINITY,
  calmSinceMs: undefined,
  shed: [],
  patienceMs: PATIENCE_MS,
  resumedMs: Number.NEGATIVE_INFINITY,
};

/** One look at the node. */
export interface Look {
  readonly nowMs: number;
  /** Memory taken, as a share of the budget; above 1 it is over. */
  readonly pressure: number;
  /** Mappers that run and could be given up. */
  readonly running: readonly { readonly protocol: string; readonly importance: number }[];
}

export type Act =
  /** `again`: not the first round, nothing new. */
  | { readonly kind: 'shed'; readonly step: 'caches' | 'samples'; readonly again: boolean }
  | { readonly kind: 'shed'; readonly step: 'mapper'; readonly protocol: string }
  | { readonly kind: 'resume'; readonly protocol: string };

export interface Decision {
  readonly after: Ladder;
  readonly act?: Act;
}

export function decide(before: Ladder, look: Look): Decision {
  if (look.pressure < CALM) return calm(before, look.nowMs);
  const reached = STEPS.filter(({ at }) => look.pressure >= at).length;
  const inARow = reached === 0 ? 0 : Math.min(IN_A_ROW, before.inARow + 1);
  const after = { ...before, inARow, calmSinceMs: undefined };
  if (inARow < IN_A_ROW || look.nowMs - before.actedMs < SETTLE_MS) return { after };
  return climb(after, reached, look);
}

function climb(at: Ladder, reached: number, look: Look): Decision {
  const { nowMs } = look;
  if (at.taken < Math.min(reached, 2)) return shed(at, at.taken, nowMs);
  const victim = reached === 3 ? leastImportant(look, at.shed) : undefined;
  if (victim !== undefined) {
    const soon = nowMs - at.resumedMs < SOON_MS;
    const patienceMs = soon ? Math.min(at.patienceMs * 2, MOST_MS) : PATIENCE_MS;
    return {
      after: { ...at, taken: 3, actedMs: nowMs, shed: [...at.shed, victim], patienceMs },
      act: { kind: 'shed', step: 'mapper', protocol: victim },
    };
  }
  if (nowMs - at.actedMs < at.againMs) return { after: at };
  return shed({ ...at, againMs: Math.min(at.againMs * 2, MOST_MS) }, 0, nowMs);
}

function shed(at: Ladder, index: number, nowMs: number): Decision {
  const step = index === 0 ? 'caches' : 'samples';
  const again = at.againMs > AGAIN_MS;
  return {
    after: { ...at, taken: index + 1, actedMs: nowMs },
    act: { kind: 'shed', step, again },
  };
}

function leastImportant({ running }: Look, gone: readonly string[]): string | undefined {
  const left = running.filter(({ protocol }) => !gone.includes(protocol));
  // By name among equals, so that the same node always gives up the same one.
  const [first] = left.toSorted(
    (a, b) => a.importance - b.importance || (a.protocol < b.protocol ? -1 : 1),
  );
  return first?.protocol;
}

/** The last mapper given up was the most important of them: it comes back first, and each in its own time. */
function calm(before: Ladder, nowMs: number): Decision {
  const calmSinceMs = before.calmSinceMs ?? nowMs;
  // After a collection memory dips and grows again: that is no calm.
  const over = nowMs - calmSinceMs >= PATIENCE_MS ? { taken: 0, againMs: AGAIN_MS } : {};
  const after = { ...before, ...over, inARow: 0, calmSinceMs };
  const protocol = before.shed.at(-1);
  if (protocol === undefined || nowMs - calmSinceMs < before.patienceMs) return { after };
  return {
    after: { ...after, calmSinceMs: nowMs, shed: before.shed.slice(0, -1), resumedMs: nowMs },
    act: { kind: 'resume', protocol },
  };
}
