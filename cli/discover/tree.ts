/** A tree of what one device has, as lines for a terminal (pure). */
import type { Method, Property } from '@limpet/dmi/manifest';
import type { Placed } from './findings.ts';

export interface TreeRoom {
  /** Of one branch. */
  readonly items: number;
  readonly lines: number;
}

/** Enough to recognise a device by. */
export const SHORT: TreeRoom = { items: 12, lines: 80 };
export const WHOLE: TreeRoom = { items: Infinity, lines: Infinity };

interface Branch {
  readonly branches: Map<string, Branch>;
  readonly items: (Property | Method)[];
}

export function treeLines(placed: readonly Placed[], room: TreeRoom): string[] {
  const root = branch();
  for (const { path, item } of placed) {
    let at = root;
    for (const name of path) {
      const next = at.branches.get(name) ?? branch();
      at.branches.set(name, next);
      at = next;
    }
    at.items.push(item);
  }
  const lines: string[] = [];
  let shown = 0;
  for (const line of walk(root, '', room.items)) {
    if (lines.length >= room.lines) break;
    lines.push(line.text);
    shown += line.items;
  }
  const cut = placed.length - shown;
  if (cut > 0) lines.push(`… ${cut} of ${placed.length} are not shown (--all shows them)`);
  return lines;
}

interface Line {
  readonly text: string;
  /** How many items it stands for. */
  readonly items: number;
}

function* walk(at: Branch, indent: string, most: number): Generator<Line> {
  const shown = at.items.slice(0, most);
  const width = Math.max(0, ...shown.map(({ name }) => name.length));
  const more = at.items.length - shown.length;
  const last = shown.length + at.branches.size + (more > 0 ? 1 : 0) - 1;
  let index = 0;
  const edge = (): readonly [string, string] =>
    index++ === last ? [`${indent}└─ `, `${indent}   `] : [`${indent}├─ `, `${indent}│  `];
  for (const item of shown) {
    yield { text: `${edge()[0]}${itemText(item, width)}`.trimEnd(), items: 1 };
  }
  if (more > 0) yield { text: `${edge()[0]}… ${more} more`, items: 0 };
  for (const [name, each] of at.branches) {
    const [line, below] = edge();
    const [names, end] = straight(name, each);
    yield { text: `${line}${names}`, items: 0 };
    yield* walk(end, below, most);
  }
}

/** Branches that lead to one branch only share a line. */
function straight(name: string, at: Branch): readonly [string, Branch] {
  const [[next, below] = []] = [...at.branches];
  if (at.items.length > 0 || at.branches.size !== 1 || next === undefined || below === undefined) {
    return [name, at];
  }
  return straight(`${name} / ${next}`, below);
}

function itemText(item: Property | Method, width: number): string {
  const name = item.name.padEnd(width);
  if (!('type' in item)) {
    const list = (of: Method['input']): string =>
      (of ?? []).map((each) => `${each.name} ${each.type}`).join(', ');
    const output = list(item.output);
    return `${name}  method (${list(item.input)})${output === '' ? '' : ` → ${output}`}`;
  }
  const { type, access = 'read', unit = '' } = item;
  return `${name}  ${type.padEnd(6)}  ${access === 'read' ? 'read ' : 'write'}  ${unit}`;
}

function branch(): Branch {
  return { branches: new Map(), items: [] };
}
