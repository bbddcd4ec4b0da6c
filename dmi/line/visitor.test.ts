import assert from 'node:assert/strict';
import test from 'node:test';
import type { Value } from '../value.ts';
import { between, filled } from '../wire/template.ts';
import { decodeLine, encodeLine, lineFits, lineVisitor, type LineVisitor } from './visitor.ts';

function visitor(fields: Partial<LineVisitor> = {}): LineVisitor {
  return { ask: 'A?', answer: '{}', type: 'number', on: '1', off: '0', ...fields };
}

function issues(value: unknown): readonly string[] {
  const result = lineVisitor['~standard'].validate(value);
  assert.ok(!(result instanceof Promise));
  return (result.issues ?? []).map(({ message }) => message);
}

test('a visitor needs no more than what is asked', () => {
  assert.deepEqual(issues({ ask: 'MEAS:VOLT?' }), []);
  const wrong: readonly [unknown, RegExp][] = [
    [{}, /a visitor needs ask/],
    [5, /expected an object with ask, set/],
    [{ ask: '' }, /the line that asks/],
    [{ ask: 'a\nb' }, /expected one line/],
    [{ ask: 'A?', set: 'A' }, /\{\} once/],
    [{ ask: 'A?', set: '{} {}' }, /\{\} once/],
    [{ ask: 'A?', field: -1 }, /whole number from 0/],
    [{ ask: 'A?', type: 'float' }, /number, int, bool or text/],
    [{ ask: 'A?', asks: 1 }, /unknown field "asks"; known are ask/],
    [{ ask: 'A?', on: '0' }, /must differ/],
  ];
  for (const [value, message] of wrong) assert.match(issues(value).join(), message);
});

test('values are read out of what surrounds them', () => {
  const table: readonly [Partial<LineVisitor>, string, Value][] = [
    [{}, '21.5', 21.5],
    [{}, '-1.5E-3', -0.0015],
    [{}, '.5', 0.5],
    [{}, '+7.', 7],
    [{ answer: 'T={} C' }, 'T=21.5 C', 21.5],
    [{ answer: 'T={} C' }, 'T= 21.5 C', 21.5],
    [{ field: 1 }, '1, 2.5,3', 2.5],
    [{ answer: '<{}>', field: 0 }, '<1,2>', 1],
    [{ type: 'int' }, '-12', -12],
    [{ type: 'int' }, '18446744073709551615', 2n ** 64n - 1n],
    [{ type: 'bool' }, '1', true],
    [{ type: 'bool', on: 'ON', off: 'OFF' }, 'OFF', false],
    [{ type: 'text' }, 'Kiel 5', 'Kiel 5'],
  ];
  for (const [fields, answer, value] of table) {
    assert.deepEqual(decodeLine(visitor(fields), answer, ','), value, answer);
  }
});

test('an answer that does not hold the value is Garbled, with what was expected', () => {
  const table: readonly [Partial<LineVisitor>, string, RegExp][] = [
    [{}, 'NaN', /expected a number for "A\?", the device answered "NaN"/],
    [{}, '1e999', /expected a number/],
    [{}, '', /expected a number/],
    [{ type: 'int' }, '1.5', /expected a whole number/],
    [{ type: 'bool', on: 'ON', off: 'OFF' }, '1', /expected ON or OFF/],
    [{ answer: 'T={}' }, '21', /expected a number in "T=\{\}"/],
    [{ field: 3 }, '1,2', /in field 3/],
  ];
  for (const [fields, answer, message] of table) {
    assert.throws(() => decodeLine(visitor(fields), answer, ','), { code: 'LINE_ANSWER', message });
  }
});

test('what a line cannot say is Misconfigured', () => {
  const table: readonly [LineVisitor['type'], readonly Value[], readonly Value[]][] = [
    ['number', [1.5, -1e-7, 2n ** 60n], [NaN, Infinity, '1', true, null, [1]]],
    ['int', [5, -(2n ** 63n)], [1.5, '5', false]],
    ['bool', [true, false], [1, 'true', null]],
    ['text', ['Grüß Gott'], ['a\nb', 5, null]],
  ];
  for (const [type, good, wrong] of table) {
    const each = visitor({ type });
    for (const value of good) {
      const back = decodeLine(each, encodeLine(each, value), ',');
      assert.equal(back, type === 'number' ? Number(value) : value);
    }
    for (const value of wrong) {
      assert.throws(() => encodeLine(each, value), { code: 'LINE_VALUE', name: 'Misconfigured' });
    }
  }
});

test('fits says what to add', () => {
  const shape = (type: 'float' | 'bool' | 'json', access: 'read' | 'readWrite' = 'read') =>
    ({ name: 'p', type, access }) as const;
  assert.equal(lineFits(visitor(), shape('float')), undefined);
  assert.match(lineFits(visitor(), shape('float', 'readWrite')) ?? '', /add set/);
  assert.match(lineFits(visitor(), shape('bool')) ?? '', /say type: bool/);
  assert.match(lineFits(visitor(), shape('json')) ?? '', /holds no json/);
});

test('a template gives back what was put into it', () => {
  assert.equal(filled('VOLT {};', '5'), 'VOLT 5;');
  assert.equal(between('VOLT {};', 'VOLT 5;'), '5');
  assert.equal(between('VOLT {}', 'CURR 5'), undefined);
  assert.equal(between('aa{}aa', 'aaa'), undefined, 'the ends must not overlap');
});
