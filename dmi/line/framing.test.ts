import assert from 'node:assert/strict';
import test from 'node:test';
import { Garbled } from '../errors.ts';
import { cutLines, isBlank, lineText } from './framing.ts';

const END = Buffer.from('\r\n');

test('lines are the same at every split of their bytes', () => {
  const bytes = Buffer.from('one\r\n\r\nthrée\r\nfour');
  for (let at = 0; at <= bytes.length; at++) {
    const first = cutLines(bytes.subarray(0, at), END);
    const second = cutLines(Buffer.concat([first.rest, bytes.subarray(at)]), END);
    const lines = [...first.lines, ...second.lines].map(String);
    assert.deepEqual(
      [...lines, String(second.rest)],
      ['one', '', 'thrée', 'four'],
      `split at ${at}`,
    );
  }
});

test('what devices send between lines is blank', () => {
  assert.ok(isBlank(Buffer.from('\r\n \0')));
  assert.ok(isBlank(Buffer.alloc(0)));
  assert.ok(!isBlank(Buffer.from('\r0\n')));
});

test('a line is text in its encoding, and nothing else', () => {
  assert.equal(lineText(Buffer.from(' 21.5 °C\r'), 'utf8'), '21.5 °C');
  assert.equal(lineText(Buffer.from([0x32, 0xb0]), 'latin1'), '2°');
  assert.equal(lineText(Buffer.from('a\tb'), 'utf8'), 'a\tb');
  for (const wrong of [
    [0x32, 0xb0],
    [0x32, 0x01, 0x33],
    [0x7f, 0x41],
  ]) {
    assert.throws(() => lineText(Buffer.from(wrong), 'utf8'), {
      name: new Garbled('', '').name,
      code: 'LINE_NOT_TEXT',
    });
  }
  assert.throws(() => lineText(Buffer.from([0x32, 0x85, 0x33]), 'latin1'), {
    code: 'LINE_NOT_TEXT',
  });
});
