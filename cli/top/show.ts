/** Nodes and their load as people read them. Pure. */
import type { LinkLoad, MapperState, NodeLoad } from '@limpet/dmi/manifest';
import { cell, type Cell, clean, type Table, type Tone } from '../render/table.ts';
import { ageText, since, sizeText } from '../render/words.ts';
import type { Shown } from './rates.ts';

const HEAD = [
  'NODE',
  'STATE',
  'DEVICES',
  'READINGS',
  'ERRORS',
  'ROWS',
  'LINK',
  'MEMORY',
  'MAPPERS',
  'OLDEST',
];

export function nodeTable(shown: readonly Shown[], now: number): Table {
  return { head: HEAD, rows: shown.map((each) => nodeCells(each, now)) };
}

/** One line a shared port, the busiest first. */
export function portTable({ load, rates }: Shown): Table | undefined {
  const ports = load?.ports.filter(
    ({ devices, port }) => devices > 1 || !port.startsWith('device:'),
  );
  if (ports === undefined || ports.length === 0) return undefined;
  const rows = ports.map(({ port, devices, waiting }) => {
    const busy = rates?.busy[port];
    return [
      cell(port),
      cell(String(devices)),
      cell(
        busy === undefined ? '-' : percent(busy),
        busy !== undefined && busy > 0.9 ? 'bad' : 'plain',
      ),
      cell(String(waiting), waiting > 0 && (busy ?? 0) > 0.9 ? 'warn' : 'plain'),
    ];
  });
  return { head: ['PORT', 'DEVICES', 'BUSY', 'WAITING'], rows };
}

export function mapperTable({ load }: Shown): Table | undefined {
  const mappers = load?.mappers.filter(({ state }) => state !== 'idle') ?? [];
  if (mappers.length === 0) return undefined;
  const rows = mappers.map(({ protocol, state, restarts, memory, budget }) => {
    return [
      cell(protocol),
      cell(state, STATES[state] ?? 'bad'),
      cell(String(restarts), restarts > 0 ? 'warn' : 'plain'),
      memory === undefined ? cell('in the edge', 'dim') : share(memory, budget),
    ];
  });
  return { head: ['MAPPER', 'STATE', 'RESTARTS', 'MEMORY'], rows };
}

const STATES: Partial<Record<MapperState, Tone>> = {
  ready: 'good',
  starting: 'warn',
  restarting: 'warn',
  stopped: 'dim',
};

function nodeCells({ node, state, lastSeen, why, load, rates }: Shown, now: number): Cell[] {
  const away = state === 'offline';
  const known = away ? `offline ${since(lastSeen, now)}` : 'online';
  const first = [cell(clean(node)), cell(known, away ? 'bad' : 'good')];
  if (load === undefined) return [...first, cell(clean(why ?? ''), 'dim')];
  return [
    ...first,
    devices(load),
    cell(rates === undefined ? '-' : `${rates.readings}/s`),
    cell(
      rates === undefined ? '-' : `${rates.errors}/s`,
      (rates?.errors ?? 0) > 0 ? 'warn' : 'plain',
    ),
    cell(String(load.rows), load.rows > 0 && load.link.state !== 'connected' ? 'warn' : 'plain'),
    link(load.link, now),
    share(load.memory.now, load.memory.ceiling),
    mappers(load),
    oldest(load),
  ];
}

function devices({ devices: { online, offline, connecting, misconfigured } }: NodeLoad): Cell {
  const all = online + offline + connecting + misconfigured;
  return cell(
    `${online}/${all}`,
    online === all ? 'good' : offline + misconfigured > 0 ? 'bad' : 'warn',
  );
}

function link({ state, since: from, code }: LinkLoad, now: number): Cell {
  if (state === 'connected' || state === 'none')
    return cell(state, state === 'none' ? 'dim' : 'good');
  return cell(`${state} ${since(from, now)}${code === undefined ? '' : ` ${code}`}`, 'bad');
}

function share(bytes: number, ceiling: number | undefined): Cell {
  if (ceiling === undefined) return cell(sizeText(bytes));
  const part = bytes / ceiling;
  return cell(
    `${sizeText(bytes)} of ${sizeText(ceiling)}`,
    part > 1 ? 'bad' : part > 0.85 ? 'warn' : 'plain',
  );
}

/** How many are ready of those that are needed; or which is not. */
function mappers({ mappers: all }: NodeLoad): Cell {
  const needed = all.filter(({ state }) => state !== 'idle' && state !== 'stopped');
  const wrong = needed.find(({ state }) => state !== 'ready');
  if (wrong !== undefined)
    return cell(`${wrong.protocol} ${wrong.state}`, STATES[wrong.state] ?? 'bad');
  return cell(needed.length === 0 ? '-' : `${needed.length} ready`);
}

function oldest({ oldest: value }: NodeLoad): Cell {
  if (value === undefined) return cell('-');
  const { device, property, ageMs, everyMs } = value;
  const late = ageMs > 3 * everyMs && ageMs > 1_000;
  return cell(`${ageText(ageMs)} ${device}.${property}`, late ? 'warn' : 'plain');
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}
