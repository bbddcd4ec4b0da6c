/** What a leaf of an expression holds in a row. */
import type { Json } from '@limpet/dmi';
import type { Reported } from '@limpet/dmi/manifest';
import { columnIn } from './evaluate-column.ts';
import type { Held } from './evaluate-value.ts';
import { type FleetRow, twinIn } from './fleet.ts';
import type { Leaf, Path, PropertyRef } from './typed.ts';
import { at, canonical, clipped, isOdd } from './value.ts';

export function leafIn(row: FleetRow, leaf: Leaf, now: number): Held {
  switch (leaf.op) {
    case 'literal':
      return leaf.value;
    case 'column':
      return columnIn(row, leaf.name);
    case 'label':
      return labelIn(row, leaf);
    case 'fact':
      return factIn(row, leaf.path);
    case 'property':
    case 'desired': {
      const { reported, desired } = twinIn(row, nameOf(row, leaf.of));
      return inside((leaf.op === 'property' ? reported : desired)?.value, leaf.path);
    }
    case 'state':
      return stateIn(row, leaf, now) ?? null;
  }
}

function factIn({ node }: FleetRow, path: Path): Held {
  return inside(node?.status?.facts as unknown as Json | undefined, path);
}

function labelIn(row: FleetRow, { key, of }: Leaf & { readonly op: 'label' }): Held {
  const resource = of === 'node' ? row.node : (row.device ?? row.node ?? row.model);
  const { labels = {} } = resource?.metadata ?? {};
  return (Object.hasOwn(labels, key) ? labels[key] : undefined) ?? null;
}

function inside(value: Json | undefined, path: Path): Held {
  if (path.length === 0 || value === undefined) return value ?? null;
  return isOdd(value) ? null : (at(value, path) ?? null);
}

function nameOf(row: FleetRow, of: PropertyRef): string {
  return of === 'row' ? (row.property ?? '') : of.name;
}

function stateIn(
  row: FleetRow,
  leaf: Leaf & { readonly op: 'state' },
  now: number,
): Held | undefined {
  const { reported, desired } = twinIn(row, nameOf(row, leaf.of));
  if (leaf.state === 'verdict') return desired?.verdict;
  if (leaf.state === 'drift') {
    return desired !== undefined && canonical(desired.value) !== canonical(reported?.value ?? null);
  }
  return reported && reportedIn(reported, leaf.state, now);
}

function reportedIn(
  { at: time, quality, reason }: Reported,
  state: 'quality' | 'reason' | 'at' | 'age',
  now: number,
): Held | undefined {
  switch (state) {
    case 'quality':
      return quality;
    case 'reason':
      return reason && clipped(reason.code);
    case 'at':
      return Date.parse(time);
    case 'age':
      return now - Date.parse(time);
  }
}
