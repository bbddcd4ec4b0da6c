/** The SQL of the running edge: it only writes (load.ts reads, once). One prepared statement per sentence. */
import { type Json } from '@limpet/dmi';
import { type Desired, type Reason, type Reported } from '@limpet/dmi/manifest';
import { type Database, type Statement } from 'better-sqlite3';
import { asStoreError } from './database.ts';
import { type Cursor } from './load.ts';
import { type ManifestChange } from './manifests.ts';
import { type Metered } from './metered.ts';
import { type DeviceEntry, type PropertyEntry } from './twins.ts';
import { type WantedPlan } from './wanted.ts';

export class Tables {
  readonly #db: Database;
  readonly #sql: Statements;
  readonly #metered: Metered;

  constructor(db: Database, metered: Metered) {
    this.#db = db;
    this.#metered = metered;
    this.#sql = prepare(db);
  }

  /** What changed of the twins, in one transaction; survives a crash of the process, not always of the power. */
  writeTwins(entries: Iterable<PropertyEntry | DeviceEntry>, kind: 'paced' | 'prompt'): void {
    this.#transaction(kind, 'write twins', () => {
      for (const entry of entries) {
        if (entry.kind === 'device') this.#writeDevice(entry);
        else this.#writeProperty(entry);
      }
    });
  }

  /** All of the plan or nothing; when it returns, it survives a loss of power. */
  writeWanted(plan: WantedPlan, cursor: Cursor, manifests: readonly ManifestChange[]): void {
    this.#db.pragma('synchronous = FULL');
    try {
      this.#transaction('prompt', 'store what is wanted', () => {
        this.#writePlan(plan);
        for (const change of manifests) this.#writeManifest(change);
        this.#sql.cursor.run(cursor.cloud, cursor.highest);
      });
    } finally {
      this.#db.pragma('synchronous = NORMAL');
    }
  }

  /** Where the cloud's stream is, alone; survives a crash of the process, not always of the power. */
  writeCursor({ cloud, highest }: Cursor): void {
    this.#transaction(
      'prompt',
      'store the cursor',
      () => void this.#sql.cursor.run(cloud, highest),
    );
  }

  /** Gives back the pages of the file that SQLite keeps in memory. */
  shrink(): void {
    this.#db.pragma('shrink_memory');
  }

  close(): void {
    // The last one to close writes the WAL back into the file.
    this.#metered('prompt', () => void this.#db.close());
  }

  #writePlan(plan: WantedPlan): void {
    const sql = this.#sql;
    for (const { type, id, rev, doc } of plan.resources) {
      sql.resource.run(type, id, rev, doc && JSON.stringify(doc));
    }
    for (const { type, id } of plan.forgotten) sql.forgetResource.run(type, id);
    for (const id of plan.removed) {
      sql.dropTwins.run(id);
      sql.dropDevice.run(id);
    }
    for (const { device, property } of plan.dropped) sql.dropProperty.run(device, property);
    for (const { device, property } of plan.retyped) sql.unreport.run(device, property);
    for (const { device, property, desired, deadline } of plan.orders) {
      sql.order.run(device, property, JSON.stringify(desired), deadline ?? null);
    }
  }

  #writeManifest({ record, present }: ManifestChange): void {
    const { source, type, id, hash, desired } = record;
    if (present) this.#sql.manifest.run(source, type, id, hash, JSON.stringify(desired));
    else this.#sql.dropManifest.run(source, type, id);
  }

  #writeDevice({ device, condition }: DeviceEntry): void {
    const { state, reason, lastSeen } = condition;
    this.#sql.device.run(device, state, text(reason), lastSeen ?? null);
  }

  #writeProperty({ device, property, twin, deadline, readBack }: PropertyEntry): void {
    const wall = deadline?.wall ?? null;
    const { reported, desired } = twin;
    this.#sql.property.run(device, property, text(reported), text(desired), wall, text(readBack));
  }

  #transaction(kind: 'paced' | 'prompt', doing: string, task: () => void): void {
    try {
      this.#metered(kind, this.#db.transaction(task));
    } catch (error) {
      throw asStoreError(error, doing);
    }
  }
}

type Statements = Readonly<Record<keyof typeof SENTENCES, Statement>>;

const SENTENCES = {
  property: `INSERT INTO property VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    reported = excluded.reported, desired = excluded.desired,
    deadline = excluded.deadline, read_back = excluded.read_back`,
  order: `INSERT INTO property (device, name, desired, deadline) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET desired = excluded.desired, deadline = excluded.deadline, read_back = NULL`,
  unreport: 'UPDATE property SET reported = NULL WHERE device = ? AND name = ?',
  dropProperty: 'DELETE FROM property WHERE device = ? AND name = ?',
  dropTwins: 'DELETE FROM property WHERE device = ?',
  device: 'REPLACE INTO device VALUES (?, ?, ?, ?)',
  dropDevice: 'DELETE FROM device WHERE id = ?',
  resource: 'REPLACE INTO resource VALUES (?, ?, ?, ?)',
  forgetResource: 'DELETE FROM resource WHERE type = ? AND id = ?',
  manifest: 'REPLACE INTO manifest VALUES (?, ?, ?, ?, ?)',
  dropManifest: 'DELETE FROM manifest WHERE source = ? AND type = ? AND id = ?',
  cursor: 'UPDATE cursor SET cloud = ?, highest = ?',
} as const;

function prepare(db: Database): Statements {
  return Object.fromEntries(
    Object.entries(SENTENCES).map(([name, sql]) => [name, db.prepare(sql)]),
  ) as Statements;
}

function text(value: Json | Reported<number> | Desired<number> | Reason | undefined) {
  return value === undefined ? null : JSON.stringify(value);
}
