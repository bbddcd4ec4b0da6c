/** The tar archives of npm packages (POSIX.1-1988 ustar, gzipped): written whole, and read without believing them. */
import { gunzipSync, gzipSync } from 'node:zlib';
import path from 'node:path';
import { CliError } from '../cli-error.ts';

export interface ArchiveFile {
  /** Relative, with `/`, below `package/`. */
  readonly name: string;
  readonly bytes: Buffer;
}

/** What an archive may hold: more is no mapper. */
export const LIMITS = { files: 500, fileBytes: 16 * 2 ** 20, bytes: 32 * 2 ** 20, depth: 12 };

const BLOCK = 512;
const PREFIX = 'package/';
/** The same files make the same archive, byte for byte. */
const TIME = 499_162_500;

/** Files as one `.tgz`, which npm takes as well. @throws CliError when a name is too long for the format */
export function packArchive(files: readonly ArchiveFile[]): Buffer {
  const parts: Buffer[] = [];
  for (const { name, bytes } of files) {
    parts.push(header(`${PREFIX}${name}`, bytes.length), bytes);
    parts.push(Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK));
  }
  return gzipSync(Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]), { level: 9 });
}

/**
 * The files of an archive, or why it is refused: links and devices, names that lead out, too many, too large, cut short.
 * @throws CliError ARCHIVE_INVALID
 */
export function unpackArchive(archive: Buffer): readonly ArchiveFile[] {
  const tar = unzipped(archive);
  const files = new Map<string, ArchiveFile>();
  for (let at = 0; ;) {
    const head = tar.subarray(at, at + BLOCK);
    if (head.length < BLOCK) throw refused('it is cut short');
    if (head.every((byte) => byte === 0)) break;
    const { name, size, type } = readHeader(head);
    const bytes = tar.subarray(at + BLOCK, at + BLOCK + size);
    if (bytes.length < size) throw refused('it is cut short');
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
    // Folders are made as files need them; a global header only carries a comment.
    if (type === '5' || type === 'g') continue;
    if (type !== '0' && type !== '\0') throw refused(`"${name}" is no plain file`);
    const plain = plainName(name);
    if (files.has(plain)) throw refused(`"${plain}" is in it twice`);
    if (files.size === LIMITS.files) throw refused(`it holds more than ${LIMITS.files} files`);
    files.set(plain, { name: plain, bytes: Buffer.from(bytes) });
  }
  if (files.size === 0) throw refused('it is empty');
  checkPlaces([...files.keys()]);
  return [...files.values()];
}

/** Where no disk could hold all of them, or only one that tells upper case from lower. */
function checkPlaces(names: readonly string[]): void {
  const plain = new Map<string, string>();
  for (const name of names) {
    const parts = name.toLowerCase().normalize().split('/');
    const other = plain.get(parts.join('/'));
    if (other !== undefined) throw refused(`"${name}" and "${other}" differ in case only`);
    plain.set(parts.join('/'), name);
  }
  for (const [lower, name] of plain) {
    const parts = lower.split('/');
    const above = parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
    if (above.some((folder) => plain.has(folder))) {
      throw refused(`"${name}" would lie in what is a file`);
    }
  }
}

function unzipped(archive: Buffer): Buffer {
  try {
    // Bounded while it grows: a small archive may unpack to anything.
    return gunzipSync(archive, { maxOutputLength: LIMITS.bytes });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') {
      throw refused(`it unpacks to more than ${LIMITS.bytes / 2 ** 20} MiB`);
    }
    if (code === 'Z_BUF_ERROR' && archive.length > 0)
      throw refused('it is cut short: copy it again');
    throw refused('it is no gzip archive: limpet mapper pack makes one');
  }
}

function readHeader(head: Buffer): { name: string; size: number; type: string } {
  let sum = 0;
  for (const [index, byte] of head.entries()) sum += index >= 148 && index < 156 ? 32 : byte;
  if (octal(head, 148, 8) !== sum) throw refused('a header in it has a wrong checksum');
  const prefix = text(head, 345, 155);
  const name = prefix === '' ? text(head, 0, 100) : `${prefix}/${text(head, 0, 100)}`;
  const size = octal(head, 124, 12);
  if (size > LIMITS.fileBytes) {
    throw refused(`"${name}" has more than ${LIMITS.fileBytes / 2 ** 20} MiB`);
  }
  return { name, size, type: head.toString('latin1', 156, 157) };
}

/** Without the first folder, whatever it is called, as npm takes it. */
function plainName(name: string): string {
  const parts = name.split('/');
  const below = parts.slice(1);
  const odd = below.some(
    (part) => part === '' || part === '.' || part === '..' || part.length > 200,
  );
  // eslint-disable-next-line no-control-regex -- such a name would deceive whoever lists it
  const strange = /[\u0000-\u001f\u007f\\:*]/.test(name);
  if (
    below.length === 0 ||
    below.length > LIMITS.depth ||
    odd ||
    strange ||
    path.isAbsolute(name)
  ) {
    throw refused(`"${name.slice(0, 100)}" would lie outside of the mapper's folder`);
  }
  return below.join('/');
}

function header(name: string, size: number): Buffer {
  const head = Buffer.alloc(BLOCK);
  if (Buffer.byteLength(name) > 100) {
    throw new CliError(1, 'PACK_REFUSED', `the name ${name} is longer than 100 bytes: shorten it`);
  }
  head.write(name, 0);
  head.write('0000644\0', 100);
  head.write('0000000\0', 108);
  head.write('0000000\0', 116);
  head.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  head.write(`${TIME.toString(8).padStart(11, '0')}\0`, 136);
  head.write('        ', 148);
  head.write('0', 156);
  head.write('ustar\u000000', 257);
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return head;
}

function octal(head: Buffer, at: number, length: number): number {
  const digits = text(head, at, length).trim();
  if (!/^[0-7]{1,11}$/.test(digits))
    throw refused('a header in it holds no number where one belongs');
  return Number.parseInt(digits, 8);
}

function text(head: Buffer, at: number, length: number): string {
  const field = head.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? length : end);
}

function refused(why: string): CliError {
  return new CliError(1, 'ARCHIVE_INVALID', `this archive is refused: ${why}`);
}
