import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Method } from '@limpet/dmi/manifest';
import { explain } from '../cli-error.ts';
import { parseInput } from './input.ts';

const START: Method = {
  name: 'start',
  input: [
    { name: 'speed', type: 'int' },
    { name: 'soft', type: 'bool' },
    { name: 'label', type: 'string' },
    { name: 'curve', type: 'json' },
  ],
  visitor: {},
};

test('words become input by the types of the arguments', () => {
  const words = ['speed=1450', 'soft=on', 'label=a=b', 'curve=[1,2]', 'other=7'];
  assert.deepEqual(parseInput(START, words), {
    speed: 1450,
    soft: true,
    label: 'a=b',
    curve: [1, 2],
    other: '7',
  });
  assert.deepEqual(parseInput(undefined, []), {});
});

test('a word that is no input is wrong usage', () => {
  for (const wrong of [['speed'], ['=5'], ['speed=1', 'speed=2'], ['curve={a:1}']]) {
    assert.throws(
      () => parseInput(START, wrong),
      (error) => explain(error).exit === 2,
      wrong.join(' '),
    );
  }
});
