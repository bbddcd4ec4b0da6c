import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { temporaryFolder } from '../testing/run-limpet.ts';
import { LIMITS, packArchive, unpackArchive } from './tar.ts';

const files = [
  { name: 'package.json', bytes: Buffer.from('{}') },
  { name: 'dist/mapper.mjs', bytes: Buffer.alloc(1025, 'x') },
];

test('what is packed is unpacked, by us and by tar, and is the same each time', (t) => {
  const archive = packArchive(files);
  assert.deepEqual(unpackArchive(archive), files);
  assert.deepEqual(packArchive(files), archive);
  const file = path.join(temporaryFolder(t), 'a.tgz');
  writeFileSync(file, archive);
  const listed = execFileSync('tar', ['-tzf', file], { encoding: 'utf8' });
  assert.deepEqual(listed.trim().split('\n'), ['package/package.json', 'package/dist/mapper.mjs']);
});

/** One entry, with what an honest archive would not say. */
function crafted(change: (header: Buffer) => void): Buffer {
  const tar = gunzipSync(packArchive(files));
  const head = tar.subarray(0, 512);
  change(head);
  head.write('        ', 148);
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return gzipSync(tar);
}

const name = (text: string) => (head: Buffer) => {
  head.fill(0, 0, 100);
  head.write(text, 0);
};

test('an archive that would reach out, deceive or burst is refused whole', () => {
  const cases: readonly [string, Buffer, RegExp][] = [
    ['up', crafted(name('package/../../etc/passwd')), /outside/],
    ['absolute', crafted(name('/etc/passwd')), /outside/],
    ['backslash', crafted(name('package/..\\x')), /outside/],
    ['no folder', crafted(name('mapper.mjs')), /outside/],
    ['escape', crafted(name('package/\u001b[2J')), /outside/],
    ['twice', crafted(name('package/dist/mapper.mjs')), /twice/],
    ['link', crafted((head) => head.write('2', 156)), /no plain file/],
    ['hard link', crafted((head) => head.write('1', 156)), /no plain file/],
    ['device', crafted((head) => head.write('3', 156)), /no plain file/],
    ['long name of GNU', crafted((head) => head.write('L', 156)), /no plain file/],
    ['large', crafted((head) => head.write('77777777777\0', 124)), /more than 16 MiB/],
    ['size', crafted((head) => head.write('no number 1\0', 124)), /no number/],
    ['cut download', packArchive(files).subarray(0, -20), /cut short: copy it again/],
    ['case', packArchive([...files, { name: 'Package.JSON', bytes: Buffer.alloc(0) }]), /in case/],
    [
      'below a file',
      packArchive([...files, { name: 'dist', bytes: Buffer.alloc(0) }]),
      /is a file/,
    ],
    ['cut', gzipSync(gunzipSync(packArchive(files)).subarray(0, 700)), /cut short/],
    ['bomb', gzipSync(Buffer.alloc(LIMITS.bytes + 1)), /more than 32 MiB/],
    ['empty', gzipSync(Buffer.alloc(1024)), /empty/],
    ['text', Buffer.from('hello'), /no gzip/],
  ];
  for (const [what, archive, why] of cases) {
    assert.throws(() => unpackArchive(archive), { code: 'ARCHIVE_INVALID', message: why }, what);
  }
  const wrong = gunzipSync(packArchive(files));
  wrong.write('9', 0);
  assert.throws(() => unpackArchive(gzipSync(wrong)), /checksum/);
  const many = Array.from({ length: LIMITS.files + 1 }, (_, index) => ({
    name: `f${index}`,
    bytes: Buffer.alloc(0),
  }));
  assert.throws(() => unpackArchive(packArchive(many)), /more than 500 files/);
});

test('a name too long for the format is refused when packing', () => {
  const long = [{ name: 'x'.repeat(100), bytes: Buffer.alloc(0) }];
  assert.throws(() => packArchive(long), { code: 'PACK_REFUSED' });
});
