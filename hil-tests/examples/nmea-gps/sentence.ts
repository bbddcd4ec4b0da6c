/** Sentences of NMEA 0183 and their checksums. */

/** The fields of a sentence whose checksum is right, the first being its name. */
export function parseSentence(line: string): readonly string[] | undefined {
  const [, body, sum] = /^\$([^*]+)\*([0-9A-F]{2})$/.exec(line) ?? [];
  if (body === undefined || checksum(body) !== sum) return undefined;
  return body.split(',');
}

export function checksum(body: string): string {
  const sum = Buffer.from(body).reduce((sum, byte) => sum ^ byte, 0);
  return sum.toString(16).toUpperCase().padStart(2, '0');
}
