/** Answers with ever larger texts, until no frame can hold one. */
let size = 16_000;

export const act = () => undefined;

export async function read(visitors) {
  size = Math.min(size * 2, 4_000_000);
  const value = 'x'.repeat(size);
  return visitors.map(({ key }) => ({ ok: true, value: key === 'beat' ? 1 : value }));
}
