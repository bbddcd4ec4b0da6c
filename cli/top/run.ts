/** `limpet top`. */
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { duration, type Node, type NodeLoad } from '@limpet/dmi/manifest';
import type { Api } from '../api.ts';
import { explain, usage } from '../cli-error.ts';
import { withApi } from '../client.ts';
import { nodesOf } from '../nodes.ts';
import { type Output, processOutput } from '../output.ts';
import { Live, terminalScreen } from '../render/live.ts';
import { layOut } from '../render/table.ts';
import { stopSignal } from '../stop.ts';
import type { TopOptions } from '../verbs/top.ts';
import { awaitsRates, ratesOf, type Shown } from './rates.ts';
import { mapperTable, nodeTable, portTable } from './show.ts';

/** So many nodes are asked at a look: those of a larger fleet that are away first, then by name. */
const ASKED = 100;
const AT_ONCE = 8;
const SHORTEST_MS = 500;

export async function runTop(node: string | undefined, options: TopOptions): Promise<number> {
  const everyMs = duration(options.interval) ?? 0;
  if (everyMs < SHORTEST_MS) {
    throw usage(
      `--interval must be a duration of at least 500ms, like 2s, not "${options.interval}".`,
    );
  }
  const output = processOutput(options.json === true);
  const { signal } = stopSignal();
  return withApi(options, async (api) => {
    const show = showFor(output, options.once === true);
    let before = await look(api, node, new Map());
    if (options.once !== true) show(before);
    let patience = options.once === true ? 1 : 0;
    for (;;) {
      await sleep(everyMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return 0;
      const seen = await again(() => look(api, node, loadsOf(before)), options.once === true);
      if (seen === undefined) continue;
      before = seen;
      if (patience-- > 0 && awaitsRates(seen.nodes)) continue;
      show(before);
      if (options.once === true) return 0;
    }
  });
}

/** Whoever is watched may be started anew meanwhile: what was shown stays until it answers. */
async function again(look: () => Promise<Look>, once: boolean): Promise<Look | undefined> {
  try {
    return await look();
  } catch (error) {
    if (once || (error as Error).name !== 'ApiUnreachable') throw error;
    return undefined;
  }
}

interface Look {
  readonly at: string;
  readonly nodes: readonly Shown[];
  /** Nodes that were not asked because there are too many. */
  readonly more: number;
}

function loadsOf({ nodes }: Look): ReadonlyMap<string, NodeLoad> {
  return new Map(nodes.flatMap(({ node, load }) => (load === undefined ? [] : [[node, load]])));
}

async function look(
  api: Api,
  name: string | undefined,
  before: ReadonlyMap<string, NodeLoad>,
): Promise<Look> {
  const all = (await nodesOf(api, name)).toSorted((a, b) => order(a) - order(b));
  const asked = all.slice(0, ASKED);
  const nodes: Shown[] = [];
  for (let at = 0; at < asked.length; at += AT_ONCE) {
    const some = asked.slice(at, at + AT_ONCE).map((node) => shownOf(api, node, before));
    nodes.push(...(await Promise.all(some)));
  }
  return { at: new Date().toISOString(), nodes, more: all.length - asked.length };
}

/** Those that are away first: sorting keeps names in order. */
function order({ status }: Node): number {
  return status?.state === 'online' ? 1 : 0;
}

async function shownOf(
  api: Api,
  { metadata, status }: Node,
  before: ReadonlyMap<string, NodeLoad>,
): Promise<Shown> {
  const { name: node } = metadata;
  const { state = 'offline', lastSeen } = status ?? {};
  const known = { node, state, ...(lastSeen !== undefined && { lastSeen }) };
  if (state === 'offline') return known;
  try {
    const load = await api.load(node);
    const rates = ratesOf(before.get(node), load);
    return { ...known, load, ...(rates && { rates }) };
  } catch (error) {
    // One node that does not answer is no reason to show none; nobody answering is.
    if ((error as Error).name !== 'ApiError') throw error;
    return { ...known, why: explain(error).message };
  }
}

function showFor(output: Output, once: boolean): (look: Look) => void {
  if (output.json)
    return ({ at, nodes, more }) => output.printJson({ at, nodes, ...(more > 0 && { more }) });
  const live = output.terminal && !once ? new Live(terminalScreen(process.stdout)) : undefined;
  return (seen) => {
    const lines = linesOf(seen, output.colour, live?.columns);
    if (live !== undefined) live.draw(lines);
    else for (const line of lines) output.print(line);
  };
}

function linesOf({ nodes, more }: Look, colour: boolean, columns: number | undefined): string[] {
  if (nodes.length === 0) return ['No nodes.'];
  const [only] = nodes.length === 1 ? nodes : [];
  const tables = [
    nodeTable(nodes, Date.now()),
    ...(only === undefined ? [] : [portTable(only), mapperTable(only)]),
  ];
  const width = columns === undefined ? {} : { columns };
  const parts = tables.flatMap((table) =>
    table === undefined ? [] : [layOut(table, { colour, ...width })],
  );
  const lines = parts.flatMap((part, index) => (index === 0 ? part : ['', ...part]));
  return more === 0 ? lines : [...lines, `… ${more} more nodes: name one to see it`];
}
