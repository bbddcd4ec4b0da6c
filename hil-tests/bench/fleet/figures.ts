/** The load goals as figures: properties polled through a fleet of slaves, items told by an OPC UA server, orders under load. */
import { pause } from '../../rig/until.ts';
import type { Figure } from '../figure.ts';
import type { Share, Stretch } from './edge-watch.ts';
import { type Hosting, LoadedEdge, type Window } from './loaded-edge.ts';
import { allOfPanel, oneEach, order, type Point } from './orders.ts';
import { PANEL_POINTS, PER_SLAVE, PLACES } from './shape.ts';
import { SubscribedEdge } from './subscribed-edge.ts';

const WARM_UP_MS = 6_000;
const ROUNDS = 5;

export async function polled(
  hosting: Hosting,
  quick: boolean,
  node?: string,
): Promise<readonly Figure[]> {
  const slaves = quick ? 20 : 100;
  const loaded = await LoadedEdge.start({ slaves, hosting, node });
  const where = hosting === 'inline' ? 'in the core' : 'in a process';
  const what = `Modbus ${where}, ${slaves} slaves of ${PER_SLAVE} at 1 Hz`;
  try {
    await pause(WARM_UP_MS);
    const window = await loaded.window(quick ? 10 : 60);
    return [
      ...reads(what, window, slaves),
      ...shares(what, window.shares),
      ...(await orders(loaded, what)),
    ];
  } finally {
    await loaded.close();
  }
}

export async function told(quick: boolean, node?: string): Promise<readonly Figure[]> {
  const [groups, perGroup] = [10, quick ? 100 : 1_000];
  const edge = await SubscribedEdge.start({ groups, perGroup, node });
  const what = `OPC UA, ${groups} subscriptions of ${perGroup} items at 1 Hz`;
  try {
    await pause(WARM_UP_MS);
    const { steady, all } = await edge.stretch(quick ? 10 : 60);
    const lost = all.sent - all.rose('readings_total');
    return [
      perSecond(`${what}: readings`, steady),
      figure(`${what}: changes sent, all told`, all.sent, 'changes'),
      figure(`${what}: of these never reported`, lost, 'changes', '0'),
      figure(`${what}: last values wrong at the edge`, all.wrong, 'items', '0'),
      ...shares(what, steady.shares),
    ];
  } finally {
    await edge.close();
  }
}

function reads(what: string, window: Window, slaves: number): readonly Figure[] {
  const { before, after, seconds, rose } = window;
  const each = after.reads
    .slice(0, slaves)
    .flatMap((counts, slave) =>
      counts.map((count, at) => count - (before.reads[slave]?.[at] ?? 0)),
    );
  const least = each.reduce((a, b) => Math.min(a, b), Infinity);
  const most = each.reduce((a, b) => Math.max(a, b), 0);
  const rate = (count: number) => Math.round(count / seconds);
  return [
    perSecond(`${what} and ${PANEL_POINTS} setpoints: readings, by the edge`, window),
    figure(
      `${what}: reads of ${slaves * PLACES.length} measurements, by the slaves`,
      rate(each.reduce((a, b) => a + b, 0)),
      '1/s',
    ),
    figure(`${what}: registers, holes included`, rate(after.registers - before.registers), '1/s'),
    figure(`${what}: requests`, rate(after.requests - before.requests), '1/s'),
    figure(`${what}: least reads of any measurement, in ${Math.round(seconds)} s`, least, 'reads'),
    figure(`${what}: most reads of any measurement`, most, 'reads'),
    figure(`${what}: polling cycles missed`, rose('missed_cycles_total'), 'cycles', '0'),
  ];
}

async function orders(loaded: LoadedEdge, what: string): Promise<readonly Figure[]> {
  const shapes: readonly (readonly [string, readonly Point[]])[] = [
    [`${PANEL_POINTS} points set in one request`, allOfPanel()],
    [`a point of each set, ${loaded.slaves} requests`, oneEach(loaded)],
  ];
  const figures: Figure[] = [];
  for (const [shape, points] of shapes) {
    for (const through of ['edge', 'cloud'] as const) {
      const took: number[] = [];
      for (let round = 1; round <= ROUNDS; round++) {
        const value = round * 10 + (through === 'edge' ? 1 : 2);
        took.push(...(await order(loaded, through, points, value)).confirmed);
      }
      const name = `${what}: ${shape} (${through} API), read back`;
      const mean = took.reduce((a, b) => a + b, 0) / took.length;
      // The goal is one write of 100 points; a hundred requests are told beside it.
      const goal = points === shapes[0]?.[1] ? '< 100 ms' : undefined;
      figures.push(figure(`${name}: mean`, Math.round(mean), 'ms', goal));
      figures.push(figure(`${name}: worst of ${took.length}`, Math.max(...took), 'ms'));
    }
  }
  return figures;
}

function perSecond(what: string, { rose, seconds }: Stretch): Figure {
  return figure(what, Math.round(rose('readings_total') / seconds), '1/s');
}

function shares(what: string, all: readonly Share[]): readonly Figure[] {
  const cpu = all.reduce((sum, share) => sum + share.cpu, 0);
  return [
    figure(`${what}: CPU of one core, in all`, percent(cpu), '%', '< 100 %'),
    ...all.flatMap(({ what: which, cpu: own, memory }) => [
      figure(`${what}: CPU of the ${which}`, percent(own), '%'),
      figure(`${what}: private (RssAnon) of the ${which}`, mib(memory.private), 'MiB'),
      figure(`${what}: RSS of the ${which}`, mib(memory.rss), 'MiB'),
    ]),
  ];
}

function figure(what: string, value: number, unit: string, goal?: string): Figure {
  return { what, value, unit, ...(goal !== undefined && { goal }) };
}

const percent = (share: number): number => Math.round(share * 1_000) / 10;
const mib = (kib: number): number => Math.round((kib / 1_024) * 10) / 10;
