/** Remembers what the cloud's mirrors showed, and objects when they go back to what was already past. */
import type { CloudStore, Reading } from '#cloud/service/store/store.ts';
import type { Mirror } from '#cloud/service/store/mirrors.ts';
import type { Taken } from './ledger.ts';
import { DEVICES, LOCAL, PROPERTIES } from './plant.ts';

/** With the node that said it. */
type Seen = Mirror & { readonly node: string };

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

  async #look({ objects, desired, mirrors }: Reading): Promise<void> {
    for (const device of [...DEVICES, LOCAL]) {
      const held = await objects.get('Device', device);
      const node = held?.doc.kind === 'Device' ? held.doc.spec.node : '';
      const declared = held?.uid;
      const same = this.#declared.get(device) === declared;
      this.#declared.set(device, declared);
      for (const { property, rev } of await desired.of(device)) {
        this.#orders.add(`${device}/${property} ${rev}`);
      }
      for (const property of PROPERTIES) {
        const mirror = await mirrors.get(device, property);
        this.#saw(`${device}/${property}`, mirror && { ...mirror, node }, same);
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
