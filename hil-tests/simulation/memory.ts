/** Remembers what the cloud's mirrors showed, and objects when they go back to what was already past. */
import type { CloudStore, Reading } from '#cloud/service/store/store.ts';
import { type Mirror, mirrorOf } from '#cloud/service/store/mirrors.ts';
import type { MirrorRow } from '#cloud/service/store/tables.ts';
import type { Taken } from './ledger.ts';
import { DEVICES, LOCAL, PROPERTIES } from './plant.ts';

/** With the node that said it. */
type Seen = Mirror & { readonly node: string };

/** A device as the cloud's table has it. */
interface Declared {
  readonly id: string;
  readonly uid: string;
  readonly node: string | null;
}

export class Memory {
  readonly #fail: (what: string) => void;
  readonly #seen = new Map<string, Seen>();
  /** Which declaration of a device the mirrors are of: with a new one they begin anew. */
  readonly #declared = new Map<string, string | undefined>();
  /** Orders that the cloud has had on its disk, by property and rev. */
  readonly #orders = new Set<string>();
  /** Edges whose clock was set back, or whose disk was lost: their times and verdicts may. */
  readonly #excused = new Set<string>();

  constructor(fail: (what: string) => void) {
    this.#fail = fail;
  }

  excuse(node: string): void {
    this.#excused.add(node);
  }

  /** The cloud came back with an older copy. */
  forget(): void {
    this.#seen.clear();
    this.#orders.clear();
  }

  /** Has this history of the cloud ever held the order? */
  knew({ device, property, rev }: Pick<Taken, 'device' | 'property' | 'rev'>): boolean {
    return this.#orders.has(`${device}/${property} ${rev}`);
  }

  look(store: CloudStore): Promise<void> {
    return store.read((reading) => this.#look(reading));
  }

  /** Each table at once: this is done after every turn of every life. */
  async #look({ sql }: Reading): Promise<void> {
    const declared = await sql.all<Declared>(
      "SELECT id, uid, node FROM objects WHERE kind = 'Device'",
    );
    const orders = await sql.all<{ key: string }>(
      "SELECT device || '/' || property || ' ' || rev AS key FROM desired",
    );
    for (const { key } of orders) this.#orders.add(key);
    const rows = await sql.all<MirrorRow & { key: string }>(
      `SELECT o.id || '/' || p.name AS key, m.* FROM mirrors m JOIN objects o ON o.n = m.dev
        JOIN names p ON p.n = m.prop WHERE o.kind = 'Device'`,
    );
    const mirrors = new Map(rows.map((row) => [row.key, mirrorOf(row)]));
    for (const device of [...DEVICES, LOCAL]) {
      const held = declared.find(({ id }) => id === device);
      const same = this.#declared.get(device) === held?.uid;
      this.#declared.set(device, held?.uid);
      for (const property of PROPERTIES) {
        const key = `${device}/${property}`;
        const mirror = mirrors.get(key);
        this.#saw(key, mirror && { ...mirror, node: held?.node ?? '' }, same);
      }
    }
  }

  #saw(key: string, now: Seen | undefined, same: boolean): void {
    const before = this.#seen.get(key);
    if (now === undefined) this.#seen.delete(key);
    else this.#seen.set(key, now);
    if (same && before && now?.node === before.node) this.#compare(key, before, now);
  }

  #compare(key: string, before: Seen, now: Seen): void {
    if (this.#excused.has(now.node)) return;
    const [was, at] = [before.reported?.at ?? 0, now.reported?.at ?? 0];
    if (at < was) this.#fail(`the mirror of ${key} went back from ${was} to ${at}`);
    if (!before.judged || !now.judged || before.judged.rev !== now.judged.rev) return;
    if (before.judged.verdict !== 'pending' && now.judged.verdict === 'pending') {
      this.#fail(`the verdict of ${key} went back from ${before.judged.verdict} to pending`);
    }
  }
}
