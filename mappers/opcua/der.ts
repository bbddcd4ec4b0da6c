/** Just enough of DER (ITU-T X.690) to write one self-signed certificate (pure). */

/** One element: tag, length, content. */
export function element(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.from([tag]), lengthOf(body.length), body]);
}

export const sequence = (...content: readonly Uint8Array[]): Buffer => element(0x30, ...content);
export const set = (...content: readonly Uint8Array[]): Buffer => element(0x31, ...content);
export const octets = (content: Uint8Array): Buffer => element(0x04, content);
export const bits = (content: Uint8Array, unused = 0): Buffer =>
  element(0x03, Buffer.from([unused]), content);
export const utf8 = (text: string): Buffer => element(0x0c, Buffer.from(text));
export const yes = (): Buffer => element(0x01, Buffer.from([0xff]));
/** `[n]` around other elements. */
export const tagged = (number: number, ...content: readonly Uint8Array[]): Buffer =>
  element(0xa0 | number, ...content);
/** `[n]` in place of an element's own tag. */
export const instead = (number: number, content: Uint8Array): Buffer =>
  element(0x80 | number, content);

/** Big-endian, not negative. */
export function integer(bytes: Uint8Array): Buffer {
  const from = bytes.findIndex((byte) => byte !== 0);
  const body = Buffer.from(from < 0 ? [0] : bytes.subarray(from));
  const [first = 0] = body;
  return first >= 0x80 ? element(0x02, Buffer.from([0]), body) : element(0x02, body);
}

/** `2.5.29.17` */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return element(0x06, Buffer.from(bytes));
}

/** RFC 5280, 4.1.2.5: two digits of the year up to 2049, four from 2050 on. */
export function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  const short = Number(text.slice(0, 4)) < 2050;
  return element(short ? 0x17 : 0x18, Buffer.from(short ? text.slice(2) : text));
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const bytes: number[] = [];
  for (let left = length; left > 0; left >>>= 8) bytes.unshift(left & 0xff);
  return Buffer.from([0x80 | bytes.length, ...bytes]);
}
