/** Values at the edges of what OPC UA can say, as bytes from a server; no server is needed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Misconfigured } from '@limpet/dmi';
import { BinaryStream } from 'node-opcua-binary-stream';
import { decodeDataValue } from 'node-opcua-data-value';
import { makeNodeId } from 'node-opcua-nodeid';
import { DataType } from 'node-opcua-variant';
import { readingOf } from './reading.ts';
import { nativeOf, scalarOf } from './scalar.ts';
import type { Services } from './services.ts';
import { decodeStructure, numberOf } from './structure.ts';
import { type Field, type Structure, Types } from './types.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const int = (number: number): Buffer => Buffer.from(Int32Array.of(number).buffer);
const long = (number: bigint): Buffer => Buffer.from(BigInt64Array.of(number).buffer);
const text = (value: string): Buffer => Buffer.concat([int(value.length), Buffer.from(value)]);
const [MATRIX_OF_INT, LIST_OF_DATA_VALUES] = ['01 c6', '01 97'] as const;

/** The value, or the code of the error, of a DataValue in these bytes. */
function read(...parts: readonly (string | Buffer)[]): unknown {
  const bytes = Buffer.concat(parts.map((part) => (typeof part === 'string' ? hex(part) : part)));
  const wanted = { name: 'ns=2;s=X', dimensions: 0 };
  const types = new Types({} as Services);
  const reading = readingOf(decodeDataValue(new BinaryStream(bytes)), wanted, types);
  return reading.ok ? reading.value : reading.error.code;
}

test('a time outside of 1601 to 9999 is none, or for ever', () => {
  assert.equal(read('01 0d', long(0n)), 'OPCUA_NO_VALUE');
  assert.equal(read('01 0d', long(-1n)), 'OPCUA_NO_VALUE');
  assert.equal(read('01 0d', long(-(2n ** 62n))), 'OPCUA_NO_VALUE');
  assert.equal(read('01 0d', long(2n ** 63n - 1n)), '9999-12-31T23:59:59Z');
  assert.equal(read('01 0d', long(2_650_467_743_990_000_000n)), '9999-12-31T23:59:59Z');
  assert.equal(read('01 0d', long(10_000n)), '1601-01-01T00:00:00.001Z');
});

test('a NodeId is told as people write it, also that of another server', () => {
  assert.equal(read('01 11 00 55'), 'i=85');
  assert.equal(read('01 12 03 0200', text('T')), 'ns=2;s=T');
  assert.equal(
    read('01 12 c3 0000', text('T'), text('urn:a;b'), int(3)),
    'svr=3;nsu=urn:a%3Bb;s=T',
  );
  for (const said of [
    'i=85',
    'ns=2;s=T',
    'ns=1;b=AQID',
    'svr=3;nsu=urn:a%3Bb;s=T',
    'nsu=urn:x;i=1',
  ]) {
    const native = nativeOf(DataType.ExpandedNodeId, said);
    assert.equal(scalarOf(DataType.ExpandedNodeId, native), said);
  }
});

test('what is beyond a type is refused before it is written', () => {
  const wrong: [DataType, string][] = [
    [DataType.NodeId, 'i=abc'],
    [DataType.NodeId, 'ns=70000;i=1'],
    [DataType.NodeId, 'nsu=urn:x;i=1'],
    [DataType.ExpandedNodeId, 'svr=9999999999;i=1'],
    [DataType.QualifiedName, '70000:x'],
    [DataType.StatusCode, 'constructor'],
    [DataType.DateTime, '+010000-01-01T00:00:00Z'],
    [DataType.DateTime, '1600-12-31T00:00:00Z'],
  ];
  for (const [type, value] of wrong)
    assert.throws(() => nativeOf(type, value), Misconfigured, value);
  assert.throws(() => numberOf(new Map(), 2 ** 40), Misconfigured);
});

test('a float32 is the shortest decimal that names it, of up to nine digits', () => {
  assert.equal(read('01 0a dc b4 3f 28'), 1.06418475e-14);
  assert.equal(read('01 0a cd cc cc 3d'), 0.1);
});

test('a DataValue within a list is its value, and nothing where that is bad', () => {
  const [good, bad] = [Buffer.concat([hex('01 06'), int(5)]), hex('03 06 07000000 00003480')];
  assert.deepEqual(read(LIST_OF_DATA_VALUES, int(3), good, bad, '00'), [5, null, null]);
  assert.equal(read('01 17', bad), 'OPCUA_NO_VALUE');
});

test('lists that are empty, without length or of dimensions 0 are empty', () => {
  for (const list of [
    ['01 86', int(0)],
    ['01 86', int(-1)],
    ['01 8c', int(-1)],
  ] as const)
    assert.deepEqual(read(...list), []);
  assert.deepEqual(read(MATRIX_OF_INT, int(0), int(2), int(3), int(0)), []);
});

test('a value that no property can hold is refused by its size, and how to read a part of it', () => {
  const list = Buffer.concat([hex('01 8b'), int(40_000), Buffer.alloc(40_000 * 8)]);
  assert.equal(read(list), 'OPCUA_TOO_LONG');
  assert.equal(read('01 0c', text('x'.repeat(70_000))), 'OPCUA_TOO_LONG');
  assert.equal(read('01 0f', int(70_000), Buffer.alloc(70_000)), 'OPCUA_TOO_LONG');
});

const INT: Field['kind'] = { kind: 'builtin', type: DataType.Int32 };
const field = (name: string, kind: Field['kind'], rank: number): Field => ({
  name,
  kind,
  rank,
  optional: false,
});
function structure(...fields: Field[]): Structure {
  const encoding = makeNodeId(1, 2);
  return { kind: 'structure', name: 'S', encoding, fields, union: false, masked: false };
}
const decoded = (kind: Structure, ...bytes: Buffer[]): unknown =>
  decodeStructure(kind, Buffer.concat(bytes), () => null);

test('a table in a structure is rows; dimensions below 0 do not go on for ever', () => {
  const table = structure(field('table', INT, 2));
  const bytes = [int(2), int(2), int(1), int(7), int(8)];
  assert.deepEqual(decoded(table, ...bytes), { table: [[7], [8]] });
  assert.throws(() => decoded(table, int(2), int(-1), int(-2), int(7), int(8)), RangeError);
  assert.throws(() => decoded(table, int(2), int(65_536), int(65_536)), RangeError);
});

test('few bytes do not become lists without end, nor a structure within itself', () => {
  const nothing = structure();
  const lists = structure(field('lists', structure(field('list', nothing, 1)), 1));
  const many = Array.from({ length: 40 }, () => int(60_000));
  assert.throws(() => decoded(lists, int(40), ...many), /too long/);
  const fields: Field[] = [];
  const self: Structure = { ...structure(), fields };
  fields.push(field('self', self, 1));
  assert.throws(() => decoded(self, ...Array.from({ length: 200 }, () => int(1))), /nesting/);
});
