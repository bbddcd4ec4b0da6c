/**
 * The life of a mapper's process, decided (pure): state and event to the next state and the steps to take. Times are
 * of a clock that only grows. Invariant: at most one process is the mapper, and at most one more is about to be.
 */
import { type Reason } from '@limpet/dmi/manifest';

export type Phase =
  /** Nothing runs, because no device needs it. */
  | { readonly kind: 'idle' }
  | { readonly kind: 'starting' }
  | { readonly kind: 'ready'; readonly fromMs: number }
  /** Killed; `as` says why, until it is gone. */
  | { readonly kind: 'dying'; readonly as: 'unresponsive' | 'over' }
  /** Started again at `untilMs`. */
  | { readonly kind: 'waiting'; readonly loop: boolean; readonly untilMs: number }
  | { readonly kind: 'shed' | 'broken' | 'stopped' | 'ended' };

export interface Life {
  readonly phase: Phase;
  /** Whether a device asked for it. */
  readonly needed: boolean;
  /** Of the last trouble, until other files take over; also of a new version that could not. */
  readonly reason: Reason | undefined;
  readonly restarts: number;
  /** When it ended without being told to, within the last {@link LOOP_WINDOW_MS}. */
  readonly exits: readonly number[];
  readonly looping: boolean;
  /** Pings in a row that went unanswered. */
  readonly missed: number;
  /** A new version is being started beside the running one. */
  readonly replacing: boolean;
  /** Files changed while something was being started: it is old already. */
  readonly outdated: boolean;
}

export type LifeEvent =
  | { readonly kind: 'needed' | 'ready' | 'answered' | 'silent' | 'due' | 'resume' | 'stop' }
  /** The start failed: `broken` needs other files, the rest may pass. */
  | { readonly kind: 'failed'; readonly reason: Reason; readonly broken: boolean }
  | { readonly kind: 'exited'; readonly reason: Reason }
  /** More memory than its budget. */
  | { readonly kind: 'over'; readonly reason: Reason }
  | { readonly kind: 'shed' | 'hold'; readonly reason: Reason }
  /** Its package is wrong now, and cannot even be tried. */
  | { readonly kind: 'refused'; readonly reason: Reason }
  /** Its files are others than those it was started from. */
  | { readonly kind: 'changed' }
  | { readonly kind: 'next-ready' }
  | { readonly kind: 'next-failed'; readonly reason: Reason };

export type Step =
  | { readonly kind: 'start' }
  | { readonly kind: 'kill' }
  /** Gracefully: it closes its connections first. */
  | { readonly kind: 'end' }
  /** Comes back as the event `due`. */
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'start-next' }
  | { readonly kind: 'take-over' }
  | { readonly kind: 'drop-next' }
  /** Devices shall plan again. */
  | { readonly kind: 'announce' };

export interface Moment {
  readonly nowMs: number;
  /** Uniform in [0, 1). */
  readonly random: number;
}

export interface Decision {
  readonly life: Life;
  readonly steps: readonly Step[];
}

/** So many unwished exits within the window are a crash loop. */
const LOOP_EXITS = 5;
const LOOP_WINDOW_MS = 60_000;
const LOOP_RETRY_MS = 60_000;
const SHORTEST_MS = 500;
const LONGEST_MS = 30_000;
/** Pings that may go unanswered before the process is killed. */
const MISSES = 2;

export const NEW_LIFE: Life = {
  phase: { kind: 'idle' },
  needed: false,
  reason: undefined,
  restarts: 0,
  exits: [],
  looping: false,
  missed: 0,
  replacing: false,
  outdated: false,
};

export function next(life: Life, event: LifeEvent, moment: Moment): Decision {
  if (life.phase.kind === 'ended') return stay(life);
  const on = ON[event.kind] as On<LifeEvent>;
  return on(life, event, moment);
}

type On<Event> = (life: Life, event: Event, moment: Moment) => Decision;

const ON: { readonly [Kind in LifeEvent['kind']]: On<LifeEvent & { readonly kind: Kind }> } = {
  needed: (life) => need({ ...life, needed: true }),
  ready,
  failed,
  exited: (life, { reason }, moment) => exited(life, reason, moment),
  answered: (life) => stay({ ...life, missed: 0 }),
  silent,
  over: (life, { reason }) => over(life, reason),
  due,
  shed: (life, { reason }) => down(life, 'shed', reason),
  hold: (life, { reason }) => down(life, 'stopped', reason),
  resume,
  stop: (life) => down(life, 'ended', life.reason),
  changed,
  // What runs goes on; what does not has its own trouble to tell.
  refused: (life, { reason }) => stay(life.phase.kind === 'ready' ? { ...life, reason } : life),
  'next-ready': replaced,
  'next-failed': replaced,
};

function need(life: Life): Decision {
  return life.phase.kind === 'idle' ? start(life) : stay(life);
}

function stay(life: Life): Decision {
  return { life, steps: [] };
}

function start(life: Life): Decision {
  return {
    life: { ...life, phase: { kind: 'starting' }, missed: 0, outdated: false },
    steps: [{ kind: 'start' }],
  };
}

/** A start that nobody wished for counts. A new version on its way is what takes the place of one that ended. */
function due(life: Life): Decision {
  if (life.phase.kind !== 'waiting') return stay(life);
  if (life.replacing) return { life, steps: [{ kind: 'wait', ms: SHORTEST_MS }] };
  return start({ ...life, restarts: life.restarts + 1 });
}

function ready(life: Life, _event: LifeEvent, { nowMs }: Moment): Decision {
  if (life.phase.kind !== 'starting') return stay(life);
  const running: Life = {
    ...life,
    phase: { kind: 'ready', fromMs: nowMs },
    missed: 0,
  };
  const announce: Step = { kind: 'announce' };
  if (!life.outdated) return { life: running, steps: [announce] };
  return { life: { ...running, replacing: true, outdated: false }, steps: [announce, START_NEXT] };
}

const START_NEXT: Step = { kind: 'start-next' };

function failed(
  life: Life,
  { reason, broken }: { readonly reason: Reason; readonly broken: boolean },
  moment: Moment,
): Decision {
  if (life.phase.kind !== 'starting' && life.phase.kind !== 'dying') return stay(life);
  // What failed is old already: the files are others now.
  if (life.outdated) return start(life);
  if (!broken || life.phase.kind === 'dying') return exited(life, reason, moment);
  return stay({ ...life, phase: { kind: 'broken' }, reason });
}

function exited(life: Life, reason: Reason, { nowMs, random }: Moment): Decision {
  const { phase } = life;
  if (phase.kind !== 'ready' && phase.kind !== 'starting' && phase.kind !== 'dying') {
    return stay(life);
  }
  const exits = [...life.exits, nowMs].filter((at) => at > nowMs - LOOP_WINDOW_MS);
  // Out of the loop once it has lived for longer than the loop's window.
  const lived = phase.kind === 'ready' && nowMs - phase.fromMs >= LOOP_WINDOW_MS;
  const looping = exits.length >= LOOP_EXITS || (life.looping && !lived);
  const ms = looping ? LOOP_RETRY_MS : backoffMs(exits.length, random);
  return {
    life: {
      ...life,
      phase: { kind: 'waiting', loop: looping, untilMs: nowMs + ms },
      // Whoever killed it knows better why than its exit code.
      reason: phase.kind === 'dying' ? life.reason : reason,
      exits: exits.slice(-LOOP_EXITS),
      looping,
    },
    steps: [{ kind: 'wait', ms }],
  };
}

/** Full jitter below a ceiling that doubles, as for devices. */
function backoffMs(exits: number, random: number): number {
  const ceiling = Math.min(SHORTEST_MS * 2 ** exits, LONGEST_MS);
  return Math.floor(SHORTEST_MS + random * (ceiling - SHORTEST_MS));
}

function silent(life: Life): Decision {
  if (life.phase.kind !== 'ready') return stay(life);
  const missed = life.missed + 1;
  if (missed < MISSES) return stay({ ...life, missed });
  const reason = {
    code: 'MAPPER_UNRESPONSIVE',
    message:
      'it did not answer its health checks: its event loop is blocked, or the machine is overloaded',
  };
  const phase = { kind: 'dying', as: 'unresponsive' } as const;
  return { life: { ...life, phase, missed, reason }, steps: [{ kind: 'kill' }] };
}

function over(life: Life, reason: Reason): Decision {
  if (life.phase.kind !== 'ready' && life.phase.kind !== 'starting') return stay(life);
  const phase = { kind: 'dying', as: 'over' } as const;
  return { life: { ...life, phase, reason }, steps: [{ kind: 'kill' }] };
}

/** Nothing of it runs any more, whatever it was doing. */
function down(
  life: Life,
  kind: 'shed' | 'stopped' | 'ended',
  reason: Reason | undefined,
): Decision {
  if (life.phase.kind === kind) return stay(life);
  const steps: Step[] = life.replacing ? [{ kind: 'drop-next' }] : [];
  if (life.phase.kind === 'ready') steps.push({ kind: 'end' });
  if (life.phase.kind === 'starting') steps.push({ kind: 'kill' });
  return {
    life: { ...life, phase: { kind }, reason, replacing: false, outdated: false },
    steps,
  };
}

function resume(life: Life): Decision {
  if (life.phase.kind !== 'shed' && life.phase.kind !== 'stopped') return stay(life);
  const fresh: Life = { ...life, reason: undefined, exits: [], looping: false };
  return life.needed ? start(fresh) : stay({ ...fresh, phase: { kind: 'idle' } });
}

function changed(life: Life): Decision {
  switch (life.phase.kind) {
    case 'ready':
      if (life.replacing) return stay({ ...life, outdated: true });
      return { life: { ...life, replacing: true, outdated: false }, steps: [START_NEXT] };
    case 'starting':
      return stay({ ...life, outdated: true });
    case 'waiting':
      if (life.replacing) return stay({ ...life, outdated: true });
      return start({ ...life, exits: [], looping: false });
    case 'broken':
    case 'stopped':
      // Other files are another chance.
      return start({ ...life, exits: [], looping: false });
    case 'idle':
    case 'dying':
    case 'shed':
    case 'ended':
      return stay(life);
  }
}

function replaced(
  life: Life,
  event: Extract<LifeEvent, { kind: 'next-ready' | 'next-failed' }>,
  { nowMs }: Moment,
): Decision {
  if (!life.replacing) return { life, steps: event.kind === 'next-ready' ? [DROP_NEXT] : [] };
  const settled: Life = { ...life, replacing: life.outdated, outdated: false };
  const more = life.outdated ? [START_NEXT] : [];
  if (event.kind === 'next-failed') {
    // The old one goes on; where there is none any more, its own trouble is what counts.
    const reason = life.phase.kind === 'ready' ? event.reason : life.reason;
    return { life: { ...settled, reason }, steps: more };
  }
  const phase: Phase = { kind: 'ready', fromMs: nowMs };
  return {
    life: { ...settled, phase, reason: undefined, missed: 0, exits: [], looping: false },
    steps: [{ kind: 'take-over' }, { kind: 'announce' }, ...more],
  };
}

const DROP_NEXT: Step = { kind: 'drop-next' };
