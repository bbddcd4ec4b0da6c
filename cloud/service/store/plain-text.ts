/**
 * PostgreSQL's texts are UTF-8 without U+0000, and its JSON functions refuse both what UTF-8 cannot say and U+0000. So
 * that no text of a device or a user fails a transaction on one engine that passes on the other, both store U+FFFD
 * instead.
 */

/** As every engine binds a text. */
export function plainText(text: string): string {
  if (!text.includes('\0') && text.isWellFormed()) return text;
  return text.toWellFormed().replaceAll('\0', '\u{fffd}');
}

/** What `JSON.stringify` made of a value of a user or a device, for JSON functions to read. */
export function plainJson(json: string): string {
  if (!json.includes('\\u')) return json;
  return json.replaceAll(/\\(?:u0000|ud[89a-f][0-9a-f]{2}|[^])/g, (escape) =>
    escape.length > 2 ? '\u{fffd}' : escape,
  );
}
