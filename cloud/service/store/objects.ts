/** Resources as wanted. Methods that change run inside a transaction. */
import type { DeviceModel, Device, FieldOwner, Kind, Node, Rollout } from '@limpet/dmi/manifest';
import type { Past } from '../history/past.ts';
import { one, type Sql } from './sql.ts';
import {
  type DocRow,
  DOCS,
  LABELS,
  MARKS,
  type MarkRow,
  OBJECTS,
  type ObjectRow,
  OWNERS,
} from './tables.ts';

/** A resource without `spec.desired`, `status` and server-set metadata. */
export type StoredDoc = DeviceModel | Device | Node | Rollout;

/** One resource as stored; see tables.ts. `id` is `namespace/name`, or a node's name. */
export interface StoredObject {
  readonly kind: Kind;
  readonly id: string;
  readonly n: number;
  readonly uid: string;
  readonly doc: StoredDoc;
  readonly rev: number;
  readonly pos: number;
  readonly version: number;
  readonly born: number;
  readonly generation: number;
  /** ms since 1970. */
  readonly created: number;
}

/** Whose a device is. */
export interface Owned {
  readonly id: string;
  readonly n: number;
  readonly node: string;
  /** `namespace/name`. */
  readonly model: string;
}

export class Objects {
  readonly #sql: Sql;
  readonly #past: Past | undefined;

  constructor(sql: Sql, past?: Past) {
    this.#sql = sql;
    this.#past = past;
  }

  /** A short name that no resource has ever had. */
  async nextNumber(): Promise<number> {
    const row = await one(
      this.#sql.all<{ n: number }>('UPDATE line SET objects = objects + 1 RETURNING objects n'),
    );
    return row?.n ?? 1;
  }

  async get(kind: Kind, id: string): Promise<StoredObject | undefined> {
    const row = await one(
      this.#sql.all<ObjectRow & DocRow & MarkRow>(
        `SELECT o.*, d.doc, k.version FROM objects o JOIN docs d ON d.n = o.n JOIN marks k ON k.n = o.n
          WHERE o.kind = $1 AND o.id = $2`,
        kind,
        id,
      ),
    );
    if (row === undefined) return undefined;
    const { n, uid, rev, pos, version, born, generation, created } = row;
    const doc = JSON.parse(row.doc) as StoredDoc;
    return { kind, id, n, uid, doc, rev, pos, version, born, generation, created };
  }

  async has(kind: Kind, id: string): Promise<boolean> {
    const [found] = await this.#sql.find(OBJECTS, [[kind, id]]);
    return found !== undefined;
  }

  async put(object: StoredObject): Promise<void> {
    const { kind, id, n, uid, doc, rev, pos, version, born, generation, created } = object;
    const { metadata } = doc;
    const device = doc.kind === 'Device' ? doc : undefined;
    const node = device?.spec.node ?? null;
    const model = device?.spec.model ?? null;
    const named = { namespace: metadata.namespace ?? '', name: metadata.name, node, model };
    const row = { n, kind, id, uid, ...named, rev, pos, born, generation, created };
    await this.#sql.put(OBJECTS, [row]);
    const text = JSON.stringify(doc);
    await this.#sql.put(DOCS, [{ n, doc: text }]);
    await this.#past?.object({ ...row, doc: text });
    await this.touch(kind, n, version);
    await this.#sql.run('DELETE FROM labels WHERE n = $1', n);
    const labels = Object.entries(metadata.labels ?? {});
    await this.#sql.put(
      LABELS,
      labels.map(([key, value]) => ({ n, key, value })),
    );
  }

  /** All models. */
  async models(): Promise<readonly DeviceModel[]> {
    const rows = await this.#sql.all<DocRow>(
      `SELECT d.* FROM objects o JOIN docs d ON d.n = o.n WHERE o.kind = 'DeviceModel'`,
    );
    return rows.map(({ doc }) => JSON.parse(doc) as DeviceModel);
  }

  /** The node of a declared device. */
  async nodeOf(device: string): Promise<string | undefined> {
    const [owned] = await this.owned([device]);
    return owned?.node;
  }

  /** Of these devices those that are declared. */
  async owned(devices: readonly string[]): Promise<readonly Owned[]> {
    const rows = await this.#sql.find(
      OBJECTS,
      devices.map((id) => ['Device', id]),
    );
    return rows.map(({ id, n, node, namespace, model }) => {
      return { id, n, node: node ?? '', model: `${namespace}/${model}` };
    });
  }

  async ofNode(node: string): Promise<readonly Owned[]> {
    const text = `SELECT id, n, node, namespace || '/' || model AS model FROM objects
      WHERE kind = 'Device' AND node = $1`;
    return this.#sql.all<Owned>(text, node);
  }

  /** Something beside the document changed. */
  async touch(kind: Kind, n: number, version: number): Promise<void> {
    await this.#sql.put(MARKS, [{ n, kind, version }]);
  }

  /** The same for many devices, each with a version of its own. */
  async touchDevices(marks: readonly { readonly n: number; readonly version: number }[]) {
    await this.#sql.put(
      MARKS,
      marks.map((mark) => ({ ...mark, kind: 'Device' })),
    );
  }

  async remove({ kind, id, n }: StoredObject): Promise<void> {
    await this.#sql.run('DELETE FROM objects WHERE kind = $1 AND id = $2', kind, id);
    for (const table of ['docs', 'marks', 'labels', 'owners']) {
      await this.#sql.run(`DELETE FROM ${table} WHERE n = $1`, n);
    }
    await this.#past?.objectGone(kind, n);
  }

  /** Who has set which fields. False when that is what it was. */
  async putOwners(n: number, owners: readonly FieldOwner[]): Promise<boolean> {
    const [held] = await this.#sql.find(OWNERS, [[n]]);
    const fields = JSON.stringify(owners);
    if (fields === (held?.fields ?? '[]')) return false;
    await this.#sql.run('DELETE FROM owners WHERE n = $1', n);
    if (owners.length > 0) await this.#sql.put(OWNERS, [{ n, fields }]);
    return true;
  }

  /** Ids of devices of a model, `limit` at most. */
  devicesOfModel(namespace: string, model: string, limit: number): Promise<readonly string[]> {
    return this.#ids(
      `SELECT id FROM objects WHERE kind = 'Device' AND namespace = $1 AND model = $2 LIMIT $3`,
      namespace,
      model,
      limit,
    );
  }

  devicesOfNode(node: string, limit: number): Promise<readonly string[]> {
    return this.#ids(
      `SELECT id FROM objects WHERE kind = 'Device' AND node = $1 ORDER BY pos LIMIT $2`,
      node,
      limit,
    );
  }

  nodesOfModel(namespace: string, model: string): Promise<readonly string[]> {
    return this.#ids(
      `SELECT DISTINCT node id FROM objects WHERE kind = 'Device' AND namespace = $1 AND model = $2`,
      namespace,
      model,
    );
  }

  async #ids(text: string, ...values: readonly (string | number)[]): Promise<readonly string[]> {
    const rows = await this.#sql.all<{ id: string }>(text, ...values);
    return rows.map(({ id }) => id);
  }
}
