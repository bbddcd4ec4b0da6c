import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asked } from './arguments.ts';

test('what the bench is asked for is read before anything is measured', () => {
  const { runs, hours, only, quick } = asked([
    '--quick',
    '--runs',
    '2',
    '--only',
    'limited, process',
  ]);
  assert.deepEqual([runs, hours, only, quick], [2, undefined, ['limited', 'process'], true]);
  assert.equal(asked([]).only.length, 4);
  assert.equal(asked(['--hours', '0.05']).hours, 0.05);
});

test('a slip is told with what was expected, not measured as nothing', () => {
  const slips: readonly (readonly [string[], RegExp])[] = [
    [['--runs', 'three'], /--runs must be a whole number from 1 on, not "three"/],
    [['--runs', '0'], /--runs/],
    [['--hours', 'all'], /--hours must be a number of hours/],
    [['--hours', '0.001'], /--hours/],
    [['--only', 'limted'], /--only must be of unlimited, limited, process, node-red, not "limted"/],
    [['--save', '--only', 'limited'], /--save keeps the whole table/],
    [['--fast'], /Unknown option '--fast'/],
  ];
  for (const [args, message] of slips)
    assert.throws(() => asked(args), { message }, args.join(' '));
});
