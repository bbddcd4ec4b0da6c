/** LIKE: `%` stands for any characters, `_` for one, `\` before either for itself. Case counts. */

type Part = { readonly literal: string } | 'one' | 'any';

/** A pattern in parts; runs of `%` are one. */
export function likeParts(pattern: string): readonly Part[] {
  const parts: Part[] = [];
  const characters = Array.from(pattern);
  for (let index = 0; index < characters.length; index++) {
    const here = characters[index] ?? '';
    const next = characters[index + 1];
    if (here === '\\' && (next === '%' || next === '_' || next === '\\')) {
      parts.push({ literal: next });
      index += 1;
    } else if (here === '%') {
      if (parts.at(-1) !== 'any') parts.push('any');
    } else {
      parts.push(here === '_' ? 'one' : { literal: here });
    }
  }
  return parts;
}

/** Never worse than length times length: the last `%` alone is gone back to. */
export function isLike(text: string, parts: readonly Part[]): boolean {
  const characters = Array.from(text);
  let [here, part, star, mark] = [0, 0, -1, 0];
  while (here < characters.length) {
    const wanted = parts[part];
    if (wanted === 'any') {
      star = part;
      mark = here;
      part += 1;
    } else if (wanted === 'one' || (wanted !== undefined && wanted.literal === characters[here])) {
      here += 1;
      part += 1;
    } else if (star >= 0) {
      part = star + 1;
      mark += 1;
      here = mark;
    } else {
      return false;
    }
  }
  while (parts[part] === 'any') part += 1;
  return part === parts.length;
}

/** As SQLite's GLOB has it. */
export function globOf(parts: readonly Part[]): string {
  return parts
    .map((part) => {
      if (part === 'any') return '*';
      if (part === 'one') return '?';
      return /[*?[]/.test(part.literal) ? `[${part.literal}]` : part.literal;
    })
    .join('');
}

/** As PostgreSQL's LIKE has it. */
export function escapedLike(parts: readonly Part[]): string {
  return parts
    .map((part) => {
      if (part === 'any') return '%';
      if (part === 'one') return '_';
      return /[\\%_]/.test(part.literal) ? `\\${part.literal}` : part.literal;
    })
    .join('');
}

/** What every text that fits begins with. */
export function likePrefix(parts: readonly Part[]): string {
  const end = parts.findIndex((part) => typeof part === 'string');
  const fixed = parts.slice(0, end < 0 ? parts.length : end);
  return fixed.map((part) => (typeof part === 'string' ? '' : part.literal)).join('');
}
