/** Which registers are read in one request: a pure plan. */
import type { Range } from './client.ts';
import type { Table, Visitor } from './visitor.ts';

/** One request, and which of the visitors it serves, by their index. */
export interface Block extends Range {
  readonly table: Table;
  readonly members: readonly number[];
}

export interface Limits {
  /** How many unwanted registers may be read between two wanted ones; of bits, sixteen times as many. */
  readonly gap: number;
  readonly maxRegisters: number;
  readonly maxBits: number;
}

/** Places that a block must not reach across, learnt from refusals. See {@link cut}. */
export type Cuts = ReadonlySet<string>;

/** Every visitor in exactly one block, whole; visitors wider than the ceiling are left out. */
export function plan(visitors: readonly Visitor[], limits: Limits, cuts: Cuts): Block[] {
  const order = visitors
    .map((visitor, index) => ({ visitor, index }))
    .filter(({ visitor }) => visitor.count <= ceiling(visitor.register, limits))
    .toSorted((a, b) => compare(a.visitor, b.visitor) || a.index - b.index);
  const blocks: OpenBlock[] = [];
  let open: OpenBlock | undefined;
  for (const { visitor, index } of order) {
    const { register, address, count } = visitor;
    const grown = open && Math.max(open.count, address + count - open.address);
    if (open && grown && joins(open, grown, visitor, { limits, cuts })) {
      open.count = grown;
      open.members.push(index);
    } else {
      blocks.push((open = { table: register, address, count, members: [index] }));
    }
  }
  return blocks;
}

/**
 * Where to part a block that the device refused: at the hole nearest to its middle, else at the visitor
 * nearest to its middle; `undefined` when all its visitors start at one register. Halving finds
 * a single refused register among many in a handful of requests.
 */
export function cut(block: Block, visitors: readonly Visitor[]): string | undefined {
  const middle = block.address + block.count / 2;
  let best: { address: number; hole: boolean } | undefined;
  let end = block.address;
  for (const index of block.members) {
    const { address, count } = visitors[index] as Visitor;
    const hole = address > end;
    end = Math.max(end, address + count);
    if (address === block.address) continue;
    const nearer = best && Math.abs(address - middle) < Math.abs(best.address - middle);
    if (!best || (hole && !best.hole) || (hole === best.hole && nearer)) best = { address, hole };
  }
  return best && place(block.table, best.address);
}

/** The most that one request of this table may ask for. */
export function ceiling(table: Table, limits: Limits): number {
  return isBits(table) ? limits.maxBits : limits.maxRegisters;
}

/** A block that still grows. */
type OpenBlock = Block & { count: number; readonly members: number[] };

function joins(
  open: Block,
  grown: number,
  { register, address }: Visitor,
  { limits, cuts }: { limits: Limits; cuts: Cuts },
): boolean {
  const gap = isBits(register) ? limits.gap * 16 : limits.gap;
  return (
    open.table === register &&
    address - (open.address + open.count) <= gap &&
    grown <= ceiling(register, limits) &&
    (address === open.address || !cuts.has(place(register, address)))
  );
}

/** Not by `localeCompare`: that loads collation tables, half a megabyte for as long as the process lives. */
function compare(a: Visitor, b: Visitor): number {
  if (a.register !== b.register) return a.register < b.register ? -1 : 1;
  return a.address - b.address || a.count - b.count;
}

function place(table: Table, address: number): string {
  return `${table} ${address}`;
}

function isBits(table: Table): boolean {
  return table === 'coil' || table === 'discrete';
}
