/** Mappers as table rows, and what those that are not well said last. Pure. */
import type { MapperFacts, MapperState } from '@limpet/dmi/manifest';
import { cell, type Cell, clean, type Table, type Tone } from './table.ts';
import { since, sizeText } from './words.ts';

export interface Shown {
  readonly node: string;
  readonly online: boolean;
  readonly mapper: MapperFacts;
}

const STATES: Readonly<Record<MapperState, Tone>> = {
  idle: 'dim',
  starting: 'warn',
  ready: 'good',
  restarting: 'warn',
  'crash-loop': 'bad',
  unresponsive: 'bad',
  shed: 'bad',
  broken: 'bad',
  stopped: 'dim',
};

const HEAD = ['PROTOCOL', 'VERSION', 'HOSTING', 'STATE', 'SINCE', 'RESTARTS', 'MEMORY'];
const WIDE = ['PEAK', 'IMPORTANCE', 'SUPERSEDED'];

/** A line each, those that are idle last; the node's name only where there are several. */
export function mapperTable(
  shown: readonly Shown[],
  { wide, now }: { readonly wide: boolean; readonly now: number },
): Table {
  const several = new Set(shown.map(({ node }) => node)).size > 1;
  const head = [...(several ? ['NODE'] : []), ...HEAD, ...(wide ? WIDE : []), 'REASON'];
  // What nobody uses stands below what somebody does.
  const idle = ({ mapper }: Shown): number => Number(mapper.state === 'idle');
  const rows = shown
    .toSorted((a, b) => idle(a) - idle(b))
    .map((each) => [
      ...(several ? [cell(each.node)] : []),
      ...cells(each, now),
      ...(wide ? wideCells(each.mapper) : []),
      cell(each.mapper.reason?.code ?? '', 'dim'),
    ]);
  return { head, rows };
}

function cells({ online, mapper }: Shown, now: number): Cell[] {
  const { protocol, version, hosting, state, restarts, budget } = mapper;
  const text = state === undefined ? '-' : online ? state : `${state}?`;
  return [
    cell(protocol),
    cell(version),
    cell(hosting ?? '-'),
    cell(text, state === undefined || !online ? 'dim' : STATES[state]),
    cell(since(mapper.since, now)),
    cell(restarts === undefined ? '-' : String(restarts), (restarts ?? 0) > 0 ? 'warn' : 'plain'),
    cell(
      budget === undefined
        ? memoryOf(mapper)
        : `${sizeText(mapper.memory ?? 0)} of ${sizeText(budget)}`,
    ),
  ];
}

function memoryOf({ hosting, memory }: MapperFacts): string {
  return hosting === 'inline' ? "the core's" : sizeText(memory);
}

function wideCells({ peak, importance, superseded }: MapperFacts): Cell[] {
  return [
    cell(sizeText(peak)),
    cell(importance === undefined ? '-' : String(importance)),
    cell(superseded === undefined ? '-' : String(superseded)),
  ];
}

/** Of each that is not well: why, and the last lines it printed. */
export function linesOf(shown: readonly Shown[]): string[] {
  return shown.flatMap(({ node, mapper: { protocol, reason, lines = [] } }) => {
    if (reason === undefined && lines.length === 0) return [];
    const why = reason === undefined ? '' : `: ${reason.message}`;
    return [
      '',
      clean(`${protocol} on ${node}${why}`),
      ...lines.map((line) => `  | ${clean(line)}`),
    ];
  });
}
