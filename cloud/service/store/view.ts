/** Resources with their status, as the API shows them: one query per object or page. */
import type { Database, Statement } from 'better-sqlite3';
import type { Kind, Resource } from '@limpet/dmi/manifest';
import { compose, type ViewRow, withMetadata } from './compose.ts';
import type { Deletions } from './deletions.ts';

/** Which objects to list; what is absent does not restrict. */
export interface ViewFilter {
  readonly kind: Kind;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly node?: string | undefined;
  readonly model?: string | undefined;
}

/** One object as a watch sees it. See `Sight` of the API. */
export interface Seen {
  readonly state: 'present' | 'deleted';
  readonly resource: Resource;
  readonly created: number;
  readonly configured: number;
}

/** Rows carry the speaker's node: what a device's former node said of it does not show. */
const SELECT = `
  SELECT o.kind, o.id, o.uid, o.doc, o.version, o.generation, o.created, o.pos, o.born,
    c.state, c.reason, c.last_seen, n.state node_state, n.last_seen node_seen,
    (SELECT fields FROM owners w WHERE w.kind = o.kind AND w.id = o.id) owners,
    CASE o.kind WHEN 'Node' THEN n.facts END facts,
    CASE o.kind WHEN 'Device' THEN (SELECT json_group_object(property, json_array(json(value), rev, accepted, expires))
      FROM desired WHERE device = o.id) END orders,
    CASE o.kind WHEN 'Device' THEN (SELECT json_group_object(property, json_array(json(reported), json(judged)))
      FROM mirrors WHERE device = o.id AND node = o.node) END mirrors,
    CASE o.kind WHEN 'Device' THEN (SELECT json_group_array(p.value ->> 'name')
      FROM objects m, json_each(m.doc, '$.spec.properties') p
      WHERE m.kind = 'DeviceModel' AND m.id = o.namespace || '/' || o.model) END properties
  FROM objects o
  LEFT JOIN conditions c ON o.kind = 'Device' AND c.device = o.id AND c.node = o.node
  LEFT JOIN nodes n ON n.name = CASE o.kind WHEN 'Device' THEN o.node WHEN 'Node' THEN o.name END`;

export class View {
  readonly #deletions: Deletions;
  readonly #one: Statement<[string, string], ViewRow>;
  readonly #page: Statement<[Record<string, string | number | null>], ViewRow>;

  constructor(db: Database, deletions: Deletions) {
    this.#deletions = deletions;
    this.#one = db.prepare(`${SELECT} WHERE o.kind = ? AND o.id = ?`);
    this.#page = db.prepare(`${SELECT} WHERE o.kind = @kind AND o.id > @after
      AND (@namespace IS NULL OR o.namespace = @namespace) AND (@name IS NULL OR o.name = @name)
      AND (@node IS NULL OR o.node = @node) AND (@model IS NULL OR o.model = @model)
      ORDER BY o.id LIMIT @limit`);
  }

  get(kind: Kind, id: string): Resource | undefined {
    const row = this.#one.get(kind, id);
    return row && compose(row);
  }

  look(kind: Kind, id: string): Seen | undefined {
    const row = this.#one.get(kind, id);
    if (row) {
      return { state: 'present', resource: compose(row), created: row.born, configured: row.pos };
    }
    const gone = this.#deletions.get(kind, id);
    if (!gone) return undefined;
    const resource = withMetadata(gone.doc, { ...gone, generation: 0, created: 0 });
    return { state: 'deleted', resource, created: 0, configured: gone.version };
  }

  /** Up to `limit` objects with an id above `after`, in order of id. */
  page(filter: ViewFilter, after: string, limit: number): readonly Resource[] {
    const { kind, namespace = null, name = null, node = null, model = null } = filter;
    const rows = this.#page.all({ kind, namespace, name, node, model, after, limit });
    return rows.map((row) => compose(row));
  }
}
