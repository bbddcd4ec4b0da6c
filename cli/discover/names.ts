/** Names as manifests allow them, out of whatever devices call things (pure). */

const LONGEST = 63;

/** Fit for `metadata.name`. */
export function labelOf(text: string): string {
  const label = plain(text)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, LONGEST)
    .replaceAll(/^-+|-+$/g, '');
  return label === '' ? 'device' : label;
}

/** Fit for a property, method or argument. */
export function propertyOf(text: string): string {
  const name = plain(text)
    .replaceAll(/[^A-Za-z0-9_-]+/g, '_')
    .replaceAll(/^[^A-Za-z_]+/g, '_')
    .slice(0, LONGEST);
  return name === '' || /^(__proto__|constructor|prototype)$/.test(name) ? '_' : name;
}

/** Gives each name once: the second gets `-2`. */
export class Names {
  readonly #taken = new Set<string>();

  take(wanted: string): string {
    for (let count = 1; ; count++) {
      const end = count === 1 ? '' : `-${count}`;
      const name = `${wanted.slice(0, LONGEST - end.length)}${end}`;
      if (this.#taken.has(name)) continue;
      this.#taken.add(name);
      return name;
    }
  }
}

/** Letters without their marks: `Kühlwasser` is Kuhlwasser. */
function plain(text: string): string {
  return text.normalize('NFKD').replaceAll(/\p{Mark}/gu, '');
}
