/** What a node tells of its mappers: their status, their memory, and of those that are not well the last lines. Pure. */
import type { MapperFacts, MapperState, Reason } from '@limpet/dmi/manifest';

/** A mapper as its host knows it. */
export interface HostedMapper {
  readonly protocol: string;
  readonly version: string;
  readonly hosting: 'inline' | 'process';
  readonly state: MapperState;
  readonly reason?: Reason | undefined;
  readonly restarts: number;
  /** ms since 1970. */
  readonly sinceMs: number;
  readonly budgetBytes?: number | undefined;
  readonly importance: number;
  readonly superseded: number;
  readonly lines?: readonly string[] | undefined;
}

interface Taken {
  readonly now: number;
  readonly peak: number;
}

/** Facts go with each hello: lines of a hundred chattering mappers must not fill it. */
const LINES = 10;
const LINE_CHARACTERS = 300;
/** What the cloud takes of them: a frame with a longer one would be refused whole. */
const NAME_CHARACTERS = 128;
const MESSAGE_CHARACTERS = 2_000;
const ALL_LINES = 200;
const MAPPERS = 100;

const WELL = new Set<MapperState>(['ready', 'idle', 'starting', 'stopped']);

export function mapperFacts(
  mappers: readonly HostedMapper[],
  taken: (protocol: string) => Taken | undefined,
): readonly MapperFacts[] {
  let room = ALL_LINES;
  return mappers.slice(0, MAPPERS).map((mapper) => {
    const lines = WELL.has(mapper.state) ? [] : (mapper.lines ?? []).slice(-Math.min(LINES, room));
    room -= lines.length;
    return {
      ...factsOf(mapper, taken(mapper.protocol)),
      ...(lines.length > 0 && { lines: lines.map((line) => clip(line, LINE_CHARACTERS)) }),
    };
  });
}

function factsOf(mapper: HostedMapper, taken: Taken | undefined): MapperFacts {
  const { protocol, version, hosting, state, reason, restarts, importance, superseded } = mapper;
  return {
    protocol: clip(protocol, NAME_CHARACTERS),
    version: clip(version, NAME_CHARACTERS),
    hosting,
    state,
    ...(reason !== undefined && {
      reason: { ...reason, message: clip(reason.message, MESSAGE_CHARACTERS) },
    }),
    restarts,
    since: new Date(mapper.sinceMs).toISOString(),
    ...(mapper.budgetBytes !== undefined &&
      hosting === 'process' && { budget: mapper.budgetBytes }),
    ...(taken !== undefined && { memory: taken.now, peak: taken.peak }),
    importance,
    superseded,
  };
}

function clip(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
