/**
 * What the numbers of namespaces mean: a server may number them anew when it restarts, and a visitor such as
 * `ns=2;s=Temp` would then read another node. So the first table that a device's server told counts, while this
 * process lives.
 */

/** Devices, and namespaces of each. Beyond the first the oldest device is forgotten: its next table counts. */
const MOST_DEVICES = 256;
const MOST_NAMESPACES = 256;

export class Meant {
  readonly #tables = new Map<string, readonly string[]>();

  /** `now` is the server's table; the answer is that of the first time, with what was added since. */
  by(device: string, now: readonly string[]): readonly string[] {
    const before = this.#tables.get(device) ?? [];
    const meant = [...before, ...now.slice(before.length, MOST_NAMESPACES)];
    this.#tables.delete(device);
    this.#tables.set(device, meant);
    const [oldest] = this.#tables.keys();
    if (this.#tables.size > MOST_DEVICES && oldest !== undefined) this.#tables.delete(oldest);
    return meant;
  }
}
