/** How a mapper's life is told: its state in a word, why there is no mapper, and the log (transitions, not attempts). */
import { type Log } from '@limpet/dmi';
import { type MapperState, type Reason } from '@limpet/dmi/manifest';
import { type Life, type LifeEvent, type Phase } from './lifecycle.ts';

export function stateOf(phase: Phase): MapperState {
  switch (phase.kind) {
    case 'dying':
      return phase.as === 'unresponsive' ? 'unresponsive' : 'restarting';
    case 'waiting':
      return phase.loop ? 'crash-loop' : 'restarting';
    case 'ended':
      return 'stopped';
    case 'idle':
    case 'starting':
    case 'ready':
    case 'shed':
    case 'broken':
    case 'stopped':
      return phase.kind;
  }
}

/** Why a device gets no mapper, and what comes next: by itself, or by somebody. */
export function downReason(protocol: string, { phase, reason }: Life): Reason {
  const { code, what, after } = DOWN[stateOf(phase)];
  const said = reason?.message ?? 'it said nothing';
  // What is broken says its name already.
  const told = what === '' ? said : `the mapper "${protocol}" ${what}: ${said}`;
  return { code, message: `${told} (${after})` };
}

const AGAIN = {
  code: 'MAPPER_DOWN',
  what: 'is not ready',
  after: 'it is started again in a moment',
};

const DOWN: { readonly [State in MapperState]: typeof AGAIN } = {
  idle: AGAIN,
  starting: AGAIN,
  ready: AGAIN,
  unresponsive: AGAIN,
  restarting: { ...AGAIN, what: 'has ended' },
  'crash-loop': {
    code: 'MAPPER_DOWN',
    what: 'keeps ending',
    after: 'it is tried once a minute; see its last lines in the log',
  },
  shed: { code: 'MAPPER_SHED', what: 'was stopped', after: 'it starts again when there is memory' },
  stopped: { code: 'MAPPER_STOPPED', what: 'was stopped', after: 'mend it, and it starts again' },
  broken: { code: 'MAPPER_BROKEN', what: '', after: 'change its files, and it is tried again' },
};

interface Change {
  readonly before: Life;
  readonly life: Life;
  readonly event: LifeEvent;
  /** Of the newest files. */
  readonly version: string;
  readonly lines: readonly string[];
}

type Told = { readonly [Kind in LifeEvent['kind']]?: (log: Log, change: Change) => void };

/** What is told of an event that moved the mapper to another phase. */
const MOVES: Told = {
  ready: (log, { version, life }) => log.info('mapper ready', { version, restarts: life.restarts }),
  failed: tellEnd,
  exited: tellEnd,
  silent: (log, { life }) => log.warn('mapper killed', { reason: life.reason }),
  over: (log, { life }) => log.warn('mapper killed', { reason: life.reason }),
  shed: (log, { life }) => log.warn('mapper stopped', { reason: life.reason }),
  hold: (log, { life }) => log.warn('mapper stopped', { reason: life.reason }),
  resume: (log) => log.info('mapper resumed'),
};

/** One line for each transition that somebody may want to know of. */
export function tellChange(log: Log, change: Change): void {
  const { before, life, event, version } = change;
  if (event.kind === 'changed') log.info('mapper changed', { version });
  if (event.kind === 'next-ready') log.info('mapper replaced by its new version', { version });
  if (event.kind === 'next-failed' && before.replacing) tellKept(log, change, event.reason);
  if (life.phase !== before.phase) MOVES[event.kind]?.(log, change);
}

function tellKept(log: Log, { version, lines }: Change, reason: Reason): void {
  const message = 'new version of mapper cannot be used: the old one goes on';
  log.error(message, { version, reason, lines });
}

function tellEnd(log: Log, { before, life, lines }: Change): void {
  const { phase, reason, restarts } = life;
  if (phase.kind === 'broken') return log.error('mapper broken', { reason });
  if (phase.kind !== 'waiting') return;
  const fields = { reason, restarts, lines };
  if (!phase.loop) return log.warn('mapper ended', fields);
  if (before.looping) return log.debug('mapper still ends', fields);
  log.error('mapper keeps ending: it is tried once a minute', fields);
}

/** Once for each kind of it and process. */
export function tellObjection(log: Log, objection: Reason | undefined, told: Set<string>): void {
  if (objection === undefined || told.has(objection.code)) return;
  told.add(objection.code);
  log.warn('mapper misbehaves', { reason: objection });
}
