import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeFrame, FrameReader } from './frame.ts';

const message = fc.dictionary(fc.string(), fc.jsonValue()) as fc.Arbitrary<object>;

test('a frame is four bytes of length, big endian, and JSON', () => {
  assert.deepEqual(encodeFrame({ t: 'ü' }), Buffer.from('\0\0\0\n{"t":"ü"}'));
});

test('messages come through whole, however the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(message), fc.array(fc.integer({ min: 1, max: 40 })), (messages, cuts) => {
      const stream = Buffer.concat(messages.map(encodeFrame));
      const reader = new FrameReader();
      const got: unknown[] = [];
      for (let at = 0, n = 0; at < stream.length; n++) {
        const size = cuts[n % cuts.length] ?? stream.length;
        got.push(...reader.push(stream.subarray(at, at + size)));
        at += size;
      }
      assert.deepEqual(got, JSON.parse(JSON.stringify(messages)));
      assert.equal(reader.held, 0);
    }),
  );
});

test('one byte at a time is enough', () => {
  const reader = new FrameReader();
  const got: unknown[] = [];
  for (const byte of encodeFrame({ text: 'x'.repeat(5_000) }))
    got.push(...reader.push(Buffer.of(byte)));
  assert.deepEqual(got, [{ text: 'x'.repeat(5_000) }]);
});

test('a frame that is too large is refused by its head, before its body comes', () => {
  const head = Buffer.of(0, 0x10, 0, 1);
  assert.throws(() => new FrameReader().push(head), { code: 'FRAME_TOO_LARGE' });
  const slow = new FrameReader();
  for (const byte of head.subarray(0, 3)) assert.deepEqual(slow.push(Buffer.of(byte)), []);
  assert.throws(() => slow.push(head.subarray(3)), { code: 'FRAME_TOO_LARGE' });
  assert.throws(() => encodeFrame({ t: 'x'.repeat(1_048_576) }), { code: 'FRAME_TOO_LARGE' });
});

test('what a head announces takes no memory until it comes', () => {
  const before = process.memoryUsage().arrayBuffers;
  const readers = Array.from({ length: 100 }, () => {
    const reader = new FrameReader();
    reader.push(Buffer.of(0, 0x10, 0, 0, 0x22));
    return reader;
  });
  assert.ok(process.memoryUsage().arrayBuffers - before < 1_048_576);
  assert.ok(readers.every(({ held }) => held === 5));
});

const framed = (body: Buffer): Buffer => {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  return Buffer.concat([head, body]);
};

test('a megabyte of brackets is refused before it becomes lists; in a text they are text', () => {
  const brackets = '['.repeat(200_000);
  const bodies = [`${brackets}${']'.repeat(200_000)}`, `["\\"${brackets}"]`] as const;
  const [lists, text] = bodies.map((body) => framed(Buffer.from(body)));
  assert.throws(() => new FrameReader().push(lists as Buffer), { code: 'FRAME_TOO_LARGE' });
  assert.deepEqual(new FrameReader().push(text as Buffer), [[`"${brackets}`]]);
});

test('whatever else comes is refused, and its text is not quoted', () => {
  for (const body of [Buffer.from(''), Buffer.from('{"secret":'), Buffer.of(0x22, 0xff, 0x22)]) {
    assert.throws(
      () => new FrameReader().push(framed(body)),
      (error: { code: string; message: string }) =>
        error.code === 'FRAME_MALFORMED' && !error.message.includes('secret'),
    );
  }
});

test('any bytes give messages or a refusal, and nothing is held beyond a frame', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (chunks) => {
      const reader = new FrameReader();
      try {
        for (const chunk of chunks) reader.push(Buffer.from(chunk));
      } catch (error) {
        assert.equal((error as Error).name, 'FrameError');
      }
      assert.ok(reader.held <= 1_048_580);
    }),
  );
});
