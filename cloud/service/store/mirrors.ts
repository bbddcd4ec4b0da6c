/**
 * The cloud's copies of twins: what the edges last said. Of a declared device what its present node says; whatever else a node
 * says, also of properties that the device's model has not, is kept as a stray until the device (or the property) is declared
 * there, or the node has let go of it.
 */
import type { Json } from '@limpet/dmi';
import type { DeviceState, Quality, Reason, Reported, Stages, Verdict } from '@limpet/dmi/manifest';
import { mirrored } from '#protocol/query';
import type { Past, Said } from '../history/past.ts';
import type { Names } from './names.ts';
import type { Owned } from './objects.ts';
import { one, type Sql } from './sql.ts';
import {
  type ConditionRow,
  CONDITIONS,
  type MirrorRow,
  MIRRORS,
  type StrayRow,
  STRAYS,
} from './tables.ts';

/** What became of the order `rev`. Times in ms since 1970, edge clock. */
export interface Judged {
  readonly rev: number;
  readonly verdict: Verdict;
  readonly reason?: Reason;
  readonly stages: Omit<Stages<number>, 'accepted'>;
}

/** The mirror of one property. */
export interface Mirror {
  readonly reported?: Reported<number>;
  readonly judged?: Judged;
}

export interface Condition {
  readonly state: DeviceState;
  readonly reason?: Reason;
  readonly lastSeen?: number;
}

/** A property by the numbers of device and name. */
export interface Spot {
  readonly dev: number;
  readonly prop: number;
}

type StrayPlace = Pick<StrayRow, 'node' | 'device' | 'property'>;

/**
 * Rows about undeclared devices and properties that are kept per node: a device's own row may come after those of its
 * properties. Of what comes beyond nothing is kept, and that is counted.
 */
export const MAX_STRAYS = 50_000;

/** What `strays` of a device as a whole have for a property. */
const WHOLE = '';

export class Mirrors {
  readonly #sql: Sql;
  readonly #names: Names;
  readonly #past: Past | undefined;

  constructor(sql: Sql, names: Names, past?: Past) {
    this.#sql = sql;
    this.#names = names;
    this.#past = past;
  }

  /** The mirror of a declared device's property. */
  async get(device: string, property: string): Promise<Mirror | undefined> {
    const row = await one(
      this.#sql.all<MirrorRow>(
        `SELECT m.* FROM mirrors m JOIN objects o ON o.n = m.dev JOIN names p ON p.n = m.prop
          WHERE o.kind = 'Device' AND o.id = $1 AND p.name = $2`,
        device,
        property,
      ),
    );
    return row && mirrorOf(row);
  }

  /** Key: {@link spotKey}. */
  async many(spots: readonly Spot[]): Promise<Map<string, Mirror>> {
    const rows = await this.#sql.find(
      MIRRORS,
      spots.map(({ dev, prop }) => [dev, prop]),
    );
    return new Map(rows.map((row) => [spotKey(row), mirrorOf(row)]));
  }

  async put(mirrors: readonly (readonly [Spot, Mirror])[]): Promise<void> {
    await this.#sql.put(
      MIRRORS,
      mirrors.map(([spot, mirror]) => mirrorRow(spot, mirror)),
    );
    await this.#past?.judged(
      mirrors.map(([{ dev, prop }, { judged }]) => ({ dev, prop, ...judgedColumns(judged) })),
    );
  }

  async putConditions(conditions: readonly (readonly [number, Condition])[]): Promise<void> {
    const rows = conditions.map(([n, condition]) => conditionRow(n, condition));
    await this.#sql.put(CONDITIONS, rows);
    await this.#past?.conditions(rows);
  }

  /** The device is gone. */
  async drop(dev: number): Promise<void> {
    await this.#sql.run('DELETE FROM mirrors WHERE dev = $1', dev);
    await this.#sql.run('DELETE FROM conditions WHERE n = $1', dev);
  }

  /** The device is another node's from now on: what the former said waits in case it comes back. */
  async leave({ n, id, node }: { readonly n: number; readonly id: string; readonly node: string }) {
    const rows = await this.#sql.all<MirrorRow & { name: string }>(
      'SELECT m.*, p.name FROM mirrors m JOIN names p ON p.n = m.prop WHERE m.dev = $1',
      n,
    );
    const [condition] = await this.#sql.find(CONDITIONS, [[n]]);
    const stray = (property: string, row: Mirror | Condition): StrayRow => ({
      node,
      device: id,
      property,
      row: JSON.stringify(row),
    });
    await this.#sql.put(STRAYS, [
      ...rows.map((row) => stray(row.name, mirrorOf(row))),
      ...(condition ? [stray(WHOLE, conditionOf(condition))] : []),
    ]);
    await this.drop(n);
  }

  /** The device is this node's from now on: what it has said so far counts. */
  async enter({ n, id, node, model }: Owned): Promise<void> {
    const rows = await this.#sql.all<StrayRow>(
      'SELECT * FROM strays WHERE node = $1 AND device = $2',
      node,
      id,
    );
    for (const { property, row } of rows) {
      if (property === WHOLE) {
        await this.putConditions([[n, JSON.parse(row) as Condition]]);
        continue;
      }
      await this.back(model, [{ n, property, mirror: JSON.parse(row) as Mirror }]);
    }
    await this.dropStrays(id, node);
  }

  /** What was a stray counts, of devices of a model, unless something was said since. */
  async back(
    model: string,
    rows: readonly { readonly n: number; readonly property: string; readonly mirror: Mirror }[],
  ): Promise<void> {
    const found = [];
    for (const { n: dev, property, mirror } of rows) {
      const prop = await this.#names.number(property);
      if (prop !== undefined) found.push({ dev, prop, property, mirror });
    }
    const held = await this.many(found);
    const mirrors: [Spot, Mirror][] = [];
    const said: Said[] = [];
    for (const { dev, prop, property, mirror } of found) {
      if (held.has(spotKey({ dev, prop }))) continue;
      mirrors.push([{ dev, prop }, mirror]);
      const { reported } = mirror;
      if (reported === undefined) continue;
      said.push({ dev, prop, property, model, reported, before: undefined, seq: 0 });
    }
    await this.put(mirrors);
    await this.#past?.said(said);
  }

  /** Undefined where the node has said nothing of it. */
  async stray({ node, device, property }: StrayPlace): Promise<Mirror | undefined> {
    const [row] = await this.#sql.find(STRAYS, [[node, device, property]]);
    return row && (JSON.parse(row.row) as Mirror);
  }

  async putStray(place: StrayPlace, row: Mirror | Condition): Promise<void> {
    await this.#sql.put(STRAYS, [{ ...place, row: JSON.stringify(row) }]);
  }

  /** Rows of this node about devices, or properties of its own, that the cloud does not know, counted up to `limit`. */
  async strays(node: string, limit: number): Promise<number> {
    const row = await one(
      this.#sql.all<{ count: number }>(
        `SELECT count(*) count FROM (SELECT 1 FROM strays WHERE node = $1 AND NOT EXISTS
          (SELECT 1 FROM objects WHERE kind = 'Device' AND id = strays.device AND node <> $1) LIMIT $2) s`,
        node,
        limit,
      ),
    );
    return row?.count ?? 0;
  }

  /** The node has let go of the device: what it said about it meanwhile goes too. */
  async dropStrays(device: string, node: string): Promise<void> {
    await this.#sql.run('DELETE FROM strays WHERE node = $1 AND device = $2', node, device);
  }
}

export { WHOLE };

export function spotKey({ dev, prop }: Spot): string {
  return `${dev} ${prop}`;
}

function mirrorRow({ dev, prop }: Spot, { reported, judged }: Mirror): MirrorRow {
  return { dev, prop, ...reportedColumns(reported), ...judgedColumns(judged) };
}

function reportedColumns(reported: Reported<number> | undefined) {
  return {
    ...mirrored(reported?.value ?? null),
    quality: reported?.quality ?? null,
    at: reported?.at ?? null,
    reason: reported?.reason === undefined ? null : JSON.stringify(reported.reason),
  };
}

function judgedColumns(judged: Judged | undefined) {
  const { stored = null, sent = null, confirmed = null } = judged?.stages ?? {};
  return {
    rev: judged?.rev ?? null,
    verdict: judged?.verdict ?? null,
    verdict_reason: judged?.reason === undefined ? null : JSON.stringify(judged.reason),
    stored,
    sent,
    confirmed,
  };
}

export function mirrorOf(row: MirrorRow): Mirror {
  const reported = reportedOf(row);
  const judged = judgedOf(row);
  return { ...(reported && { reported }), ...(judged && { judged }) };
}

function reportedOf({ value, at, quality, reason }: MirrorRow): Reported<number> | undefined {
  if (quality === null || at === null) return undefined;
  return {
    value: value === null ? null : (JSON.parse(value) as Json),
    at,
    quality: quality as Quality,
    ...(reason !== null && { reason: JSON.parse(reason) as Reason }),
  };
}

function judgedOf(row: MirrorRow): Judged | undefined {
  const { rev, verdict, verdict_reason: reason, stored, sent, confirmed } = row;
  if (rev === null || verdict === null) return undefined;
  return {
    rev,
    verdict: verdict as Verdict,
    ...(reason !== null && { reason: JSON.parse(reason) as Reason }),
    stages: {
      ...(stored !== null && { stored }),
      ...(sent !== null && { sent }),
      ...(confirmed !== null && { confirmed }),
    },
  };
}

function conditionRow(n: number, { state, reason, lastSeen }: Condition): ConditionRow {
  const text = reason === undefined ? null : JSON.stringify(reason);
  return { n, state, reason: text, last_seen: lastSeen ?? null };
}

function conditionOf({ state, reason, last_seen }: ConditionRow): Condition {
  return {
    state: state as DeviceState,
    ...(reason !== null && { reason: JSON.parse(reason) as Reason }),
    ...(last_seen !== null && { lastSeen: last_seen }),
  };
}
