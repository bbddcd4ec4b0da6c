/** How the node's disk is shared: the one place that says so, and what the edge sets its files' ceilings from. Pure. */
import { formatQuantity } from '@limpet/dmi/manifest';
import { WAL_BYTES } from '../twin/wal.ts';

const MIB = 2 ** 20;
/** How the row of a mapper's scratch folder begins. */
export const SCRATCH = 'scratch of ';

/** What `limpet.yaml` says under `disk`, in bytes. */
export interface DiskWish {
  readonly ceiling: number;
  readonly twins: number;
  readonly samples: number;
}

/** What a mapper may write into its scratch folder, in bytes. */
export interface Scratch {
  readonly protocol: string;
  readonly bytes: number;
}

interface DiskPart {
  readonly what: string;
  readonly bytes: number;
}

export interface DiskShare {
  readonly ceiling: number;
  readonly parts: readonly DiskPart[];
  readonly sum: number;
}

/** File and WAL count together. A damaged twin store is set aside, so its copy needs room too. */
export function shareDisk(wish: DiskWish, scratches: readonly Scratch[]): DiskShare {
  const parts = [
    { what: 'twins', bytes: wish.twins },
    { what: 'twins set aside', bytes: wish.twins },
    { what: 'samples', bytes: wish.samples },
    ...scratches.map(({ protocol, bytes }) => ({ what: `${SCRATCH}${protocol}`, bytes })),
  ];
  return {
    ceiling: wish.ceiling,
    parts,
    sum: parts.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** The ceiling of a database's file, of a share that its WAL is in too. */
export function fileCeiling(share: number): number {
  return share - WAL_BYTES;
}

/** Why this share cannot be kept to, with the table and what to change; `undefined` when it can. */
export function diskOverbooked({ ceiling, parts, sum }: DiskShare): string | undefined {
  if (sum <= ceiling) return undefined;
  const rows = [...parts, { what: 'sum', bytes: sum }, { what: 'ceiling', bytes: ceiling }];
  const wide = Math.max(...rows.map(({ what }) => what.length));
  const table = rows.map(({ what, bytes }) => {
    return `  ${what.padEnd(wide)}  ${`${(bytes / MIB).toFixed(1)} MiB`.padStart(12)}`;
  });
  const enough = formatQuantity(Math.ceil(sum / MIB) * MIB);
  const scratch = parts.some(({ what }) => what.startsWith(SCRATCH));
  const mappers = scratch ? ', or give a mapper less (mappers.PROTOCOL.disk)' : '';
  return [
    'what may be on the disk of this node is above its ceiling (disk.ceiling):',
    ...table,
    `raise disk.ceiling to at least ${enough}, lower disk.samples or disk.twins${mappers} in limpet.yaml`,
  ].join('\n');
}
