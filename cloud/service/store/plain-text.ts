/**
 * PostgreSQL's texts are UTF-8 without U+0000. So that no text of a device or a user fails a transaction on one engine that
 * passes on the other, or is another one there, U+FFFD stands for what it cannot hold. What is kept as JSON stays what it
 * was: JSON writes such characters as escapes.
 */

/** As every engine binds a text. */
export function plainText(text: string): string {
  if (!text.includes('\0') && text.isWellFormed()) return text;
  return text.toWellFormed().replaceAll('\0', '\u{fffd}');
}
