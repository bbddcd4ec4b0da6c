/**
 * How a node's memory is shared: the one place that says so. All sizes are private memory (RssAnon): the pages of files,
 * Node's own binary above all, are the kernel's to keep or to drop. Pure.
 */
import { formatQuantity } from '@limpet/dmi/manifest';

const MI = 2 ** 20;

/** The node's memory and what `limpet.yaml` says of it, in bytes. */
export interface MemoryWish {
  readonly ceiling?: number | undefined;
  readonly core?: number | undefined;
}

/** What the machine has, in bytes: the whole, and the hard limit this process was put under, if any. */
export interface Machine {
  readonly total: number;
  readonly limit?: number | undefined;
  /** At which V8 ends this process. */
  readonly heap?: number | undefined;
}

/** A mapper as far as memory is concerned. An inline one lives on the core's budget; one that is broken has none. */
export interface Sharer {
  readonly protocol: string;
  readonly hosting: 'inline' | 'process';
  readonly budgetBytes?: number | undefined;
  /** Not needed so far: it gets its part, if there is room, when it starts. */
  readonly standby?: boolean | undefined;
}

export interface Share {
  readonly ceiling: number;
  /** Where the ceiling comes from, for people. */
  readonly from: string;
  readonly core: number;
  readonly mappers: readonly { readonly protocol: string; readonly bytes: number }[];
  /** Of core and mappers together. */
  readonly sum: number;
}

/** The least that the core runs with: it is at 11 to 12 MiB before its first device. */
const CORE_LEAST = 16 * MI;
const CORE_USUAL = 48 * MI;
/** Private memory of the core beside V8's heap, at most: its code, stacks, buffers, SQLite. */
const BESIDE_HEAP = 16 * MI;
/** Of Node's own code, what a busy edge cannot do without: the kernel charges it to a hard limit as well. */
const FILE_PAGES = 9 * MI;
/** Beyond this nobody meant a mapper or a core by default. */
const CEILING_MOST = 512 * MI;

/**
 * Whatever the file leaves open is derived. Ceiling: a quarter of the machine, at most 512 MiB; under a hard limit three
 * quarters of that, and 9 MiB less at least, because the kernel charges pages of files to it as well. Core: 48 MiB or a quarter of the ceiling,
 * whichever is more, as far as V8's heap reaches and the mappers leave it; never less than 16 MiB, so that what cannot fit is refused.
 */
export function shareMemory(wish: MemoryWish, machine: Machine, sharers: readonly Sharer[]): Share {
  const { bytes: ceiling, from } = ceilingOf(wish, machine);
  const mappers = sharers.flatMap(({ protocol, hosting, budgetBytes, standby }) =>
    hosting === 'inline' || budgetBytes === undefined || standby === true
      ? []
      : [{ protocol, bytes: budgetBytes }],
  );
  const taken = mappers.reduce((sum, { bytes }) => sum + bytes, 0);
  const reach = (machine.heap ?? Infinity) + BESIDE_HEAP;
  const usual = Math.min(Math.max(CORE_USUAL, Math.floor(ceiling / 4)), reach);
  const core = wish.core ?? Math.max(CORE_LEAST, Math.min(usual, ceiling - taken));
  return { ceiling, from, core, mappers, sum: core + taken };
}

function ceilingOf({ ceiling }: MemoryWish, { total, limit }: Machine) {
  if (ceiling !== undefined) return { bytes: ceiling, from: 'memory.ceiling' };
  if (limit !== undefined && limit < total) {
    const bytes = whole(Math.min((limit * 3) / 4, limit - FILE_PAGES, CEILING_MOST));
    return {
      bytes,
      from: `the ${inMi(limit)} this process is limited to, less room for pages of files`,
    };
  }
  const bytes = whole(Math.min(total / 4, CEILING_MOST));
  return { bytes, from: `a quarter of the machine's ${inMi(total)}` };
}

/** Down to whole MiB, at least one. */
function whole(bytes: number): number {
  return Math.max(1, Math.floor(bytes / MI)) * MI;
}

/**
 * The share once mappers came, went or changed while the node runs: ceiling and core stay, those that had their part keep it,
 * and of the others whoever does not fit into what is left is named.
 */
export function reshare(
  before: Share,
  sharers: readonly Sharer[],
): { readonly share: Share; readonly unfit: readonly string[] } {
  const had = new Map(before.mappers.map(({ protocol, bytes }) => [protocol, bytes]));
  const keeps = ({ protocol, budgetBytes = 0 }: Sharer) => budgetBytes <= (had.get(protocol) ?? -1);
  const unfit: string[] = [];
  const wish = { ceiling: before.ceiling, core: before.core };
  let fitting: Sharer[] = [];
  for (const sharer of [...sharers.filter(keeps), ...sharers.filter((each) => !keeps(each))]) {
    const { sum } = shareMemory(wish, { total: 0 }, [...fitting, sharer]);
    if (sum > before.ceiling) unfit.push(sharer.protocol);
    else fitting = [...fitting, sharer];
  }
  return { share: { ...shareMemory(wish, { total: 0 }, fitting), from: before.from }, unfit };
}

/** What to change when V8 ends the core before it has its budget; `undefined` when it does not. */
export function outOfReach({ core }: Share, heap: number | undefined): string | undefined {
  if (heap === undefined || core <= heap + BESIDE_HEAP) return undefined;
  const enough = Math.ceil((core - BESIDE_HEAP) / MI);
  return `start the edge with LIMPET_HEAP_MIB=${enough} in its environment, or lower memory.core`;
}

/** Why this share cannot be kept to, with the table and what to change; `undefined` when it can. */
export function overbooked({ ceiling, from, core, mappers, sum }: Share): string | undefined {
  if (sum <= ceiling) return undefined;
  const rows: [string, number][] = [
    ['core', core],
    ...mappers.map(({ protocol, bytes }): [string, number] => [`mapper ${protocol}`, bytes]),
    ['sum', sum],
    ['ceiling', ceiling],
  ];
  const wide = Math.max(...rows.map(([what]) => what.length));
  const table = rows.map(([what, bytes]) => `  ${what.padEnd(wide)}  ${inMi(bytes).padStart(10)}`);
  const shrink = mappers.length > 0 ? ', disable a mapper or give it less (mappers.PROTOCOL)' : '';
  return [
    `the memory budgets of this node are above its ceiling (${from}):`,
    ...table,
    `raise memory.ceiling to at least ${formatQuantity(Math.ceil(sum / MI) * MI)}, lower memory.core${shrink} in limpet.yaml`,
  ].join('\n');
}

function inMi(bytes: number): string {
  return `${(bytes / MI).toFixed(1)} MiB`;
}

/**
 * What V8 may have of a budget for its old space, in MiB, for `--max-old-space-size`: the budget less what Node needs
 * beside it (its own code and stacks, young space, buffers), so that V8 collects hard before the watchdog has to act.
 */
export function heapLimitMiB(budgetBytes: number): number {
  return Math.max(10, Math.floor(budgetBytes / MI) - 8);
}

/**
 * What a mapper's memory cgroup may hold beyond its budget: page tables, stacks and sockets in the kernel (1.5 to 2.5 MiB of a
 * Node process), and pages of files, which the kernel can drop but not do without.
 */
export const CGROUP_ALLOWANCE = 8 * MI;

/** Private memory of one property in the core, from model to twin and retained topic; see README. */
const PROPERTY_BYTES = 2_600;
/** What the core has before its first property. */
const CORE_EMPTY = 14 * MI;
const PROPERTIES_LEAST = 500;
const PROPERTIES_MOST = 20_000;

/** How many properties a core of this budget takes on. */
export function maxProperties(coreBytes: number): number {
  const fit = Math.floor((coreBytes - CORE_EMPTY) / PROPERTY_BYTES);
  return Math.min(PROPERTIES_MOST, Math.max(PROPERTIES_LEAST, fit));
}

/** How much of it twins may take for texts and JSON, which what a property counts does not hold. */
export function valueBytes(coreBytes: number): number {
  return Math.round(Math.min(32 * MI, Math.max(MI, (coreBytes - CORE_EMPTY) / 4)));
}

/** What manifests may be, so that reading them takes at most half of what the core has beside its start. */
export function manifestLimits(coreBytes: number): {
  readonly bytes: number;
  readonly lexemes: number;
} {
  const spare = Math.max(0, coreBytes - CORE_EMPTY) / 2;
  return {
    // As checked documents they take some ten times their text.
    bytes: Math.round(Math.min(16 * MI, Math.max(MI, spare / 10))),
    // 1,300 properties always; while a document is parsed, each takes 220 bytes.
    lexemes: Math.round(Math.min(1e6, Math.max(60_000, spare / 220))),
  };
}
