/** Cutting a stream of bytes into lines, and a line's bytes into text (pure). */
import { Garbled, Misconfigured } from '../errors.ts';

/** How text is put into bytes: `latin1` for older instruments that send `°` as one byte. */
export type Encoding = 'utf8' | 'latin1';

/** The whole lines at the front, without their ends, and what is left. */
export function cutLines(bytes: Buffer, end: Buffer): { lines: Buffer[]; rest: Buffer } {
  const lines: Buffer[] = [];
  let from = 0;
  for (let at = bytes.indexOf(end); at >= 0; at = bytes.indexOf(end, from)) {
    lines.push(bytes.subarray(from, at));
    from = at + end.length;
  }
  return { lines, rest: bytes.subarray(from) };
}

/** Whether bytes are only what devices send between lines: ends of other customs, NUL from a line that was switched. */
export function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x0d || byte === 0x0a || byte === 0x20 || byte === 0);
}

// eslint-disable-next-line no-control-regex -- that is what is looked for
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/;

/**
 * A line as text, without blanks and carriage returns around it.
 * @throws Garbled when it is no text: wrong line speed, noise, or the middle of something binary
 */
export function lineText(bytes: Buffer, encoding: Encoding): string {
  const text = bytes.toString(encoding).replace(/^[\s\0]+|[\s\0]+$/g, '');
  if (!CONTROL.test(text) && !text.includes('\ufffd')) return text;
  throw new Garbled(
    'LINE_NOT_TEXT',
    'what came is no text: check the line speed, or the encoding, of the device',
  );
}

/**
 * A text as one line, with its end.
 * @throws Misconfigured LINE_VALUE when it would be two lines, or another text
 */
export function lineBytes(text: string, end: string, encoding: Encoding): Buffer {
  const bytes = Buffer.from(text + end, encoding);
  if (!text.includes(end) && bytes.toString(encoding) === text + end) return bytes;
  throw new Misconfigured('LINE_VALUE', `one line in ${encoding} cannot say that value`);
}
