/** A name for a rollout that was given none. */

/** None that is mistaken for another, and no vowels: no words. */
const LETTERS = 'bcdfghjkmnpqrstvwxz23456789';
const LONGEST = 50;

/** The first property that the UPDATE sets, and some letters. */
export function nameForRollout(query: string): string {
  const property = /\bdesired\s*\.\s*"?([A-Za-z0-9_-]+)/i.exec(query)?.[1] ?? 'rollout';
  const word = property
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  const bytes = crypto.getRandomValues(new Uint8Array(5));
  const some = Array.from(bytes, (byte) => LETTERS[byte % LETTERS.length]).join('');
  return `${word.slice(0, LONGEST) || 'rollout'}-${some}`;
}
