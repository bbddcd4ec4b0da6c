/**
 * The folder of a mapper that makes room for its next version. It counts while nothing has taken its place, so that a
 * power cut between two renames takes no mapper from an edge.
 */

const ASIDE = /^\.(.+)\.old$/;

/** What the folder of this name is called meanwhile. */
export function asideName(name: string): string {
  return `.${name}.old`;
}

/** What it was called before; other names stay. */
export function plainName(name: string): string {
  return ASIDE.exec(name)?.[1] ?? name;
}

/** Of the names in a folder for mappers: those that may hold one, in order. */
export function countedNames(names: readonly string[]): string[] {
  const counts = (name: string): boolean =>
    !name.startsWith('.') || (plainName(name) !== name && !names.includes(plainName(name)));
  return names.filter(counts).toSorted();
}
