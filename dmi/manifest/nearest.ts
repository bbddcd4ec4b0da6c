/** What someone probably meant: the known word closest to the one they typed. */

const LONGEST = 64;

/** What is shorter begins too many words. */
const ABBREVIATION = 3;

/** The word of `known` nearest to `word`, case aside; `undefined` when none is close enough to suggest. A beginning is near. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  if (word.length > LONGEST) return undefined;
  const typed = word.toLowerCase();
  let best: string | undefined;
  // About one slip in three letters: more than that is another word, not a typing mistake.
  let limit = Math.max(1, Math.ceil(typed.length / 3));
  for (const candidate of known) {
    const meant = candidate.toLowerCase();
    const begun = typed.length >= ABBREVIATION && meant.startsWith(typed) && meant !== typed;
    // So many letters have to be put in or taken out at least.
    const least = begun ? 1 : Math.abs(meant.length - typed.length);
    if (candidate.length > LONGEST || least > limit) continue;
    const distance = begun ? 1 : editDistance(typed, meant);
    if (distance < limit || (distance === limit && best === undefined)) {
      best = candidate;
      limit = distance;
    }
  }
  return best;
}

/** ` Did you mean "x"?`, or nothing: to put at the end of a message. */
export function suggestion(word: string, known: Iterable<string>): string {
  const meant = nearest(word, known);
  return meant === undefined ? '' : ` Did you mean "${meant}"?`;
}

/** Insertions, deletions, replacements and swaps of neighbours between `a` and `b`. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const next = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        at(last, column) + 1,
        at(next, column - 1) + 1,
        at(last, column - 1) + (same ? 0 : 1),
      );
      const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (row > 1 && column > 1 && swapped) cost = Math.min(cost, at(before, column - 2) + 1);
      next.push(cost);
    }
    before = last;
    last = next;
  }
  return at(last, b.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
