import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkSizes } from './chunks.ts';

const limits = { chunkBytes: 64, messageBytes: 160, chunks: 4 };

function chunk(kind: string, size: number, claimed = size): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.write(kind, 'latin1');
  bytes.writeUInt32LE(claimed, 4);
  return bytes;
}

test('messages within the limits pass in pieces of any size, one after the other', () => {
  const stream = Buffer.concat([
    chunk('ACKF', 28),
    ...Array.from({ length: 20 }, () => [
      chunk('MSGC', 64),
      chunk('MSGC', 64),
      chunk('MSGF', 9),
    ]).flat(),
    chunk('OPNA', 16),
    chunk('CLOF', 8),
  ]);
  for (let step = 1; step <= stream.length; step++) {
    const sizes = new ChunkSizes(limits);
    for (let at = 0; at < stream.length; at += step) sizes.see(stream.subarray(at, at + step));
  }
});

test('what is too large, in one chunk or in many, is refused as soon as its header is seen', () => {
  const table: [string, Buffer[], string][] = [
    ['a chunk', [chunk('MSGF', 8, 65)], 'OPCUA_TOO_LARGE'],
    ['4 GiB', [chunk('ACKF', 8, 0xffff_ffff)], 'OPCUA_TOO_LARGE'],
    ['a message', [chunk('MSGC', 64), chunk('MSGC', 64), chunk('MSGF', 8, 33)], 'OPCUA_TOO_LARGE'],
    ['chunks without end', Array.from({ length: 5 }, () => chunk('OPNC', 12)), 'OPCUA_TOO_LARGE'],
    ['a chunk shorter than its header', [chunk('MSGF', 8, 7)], 'OPCUA_GARBLED'],
    ['no type of a chunk', [Buffer.from('HTTP/1.1 400')], 'OPCUA_GARBLED'],
    ['a handshake in pieces', [chunk('ACKC', 8)], 'OPCUA_GARBLED'],
  ];
  for (const [what, pieces, code] of table) {
    const sizes = new ChunkSizes(limits);
    for (const piece of pieces.slice(0, -1)) sizes.see(piece);
    assert.throws(
      () => sizes.see(pieces.at(-1) ?? Buffer.alloc(0)),
      { code, name: 'Garbled' },
      what,
    );
  }
});
