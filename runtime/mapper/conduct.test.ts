import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Conduct, GOOD_CONDUCT, objection } from './conduct.ts';

const after = (change: Partial<Conduct>): Conduct => ({ ...GOOD_CONDUCT, ...change });

test('what a mapper was refused is told as long as it runs, before anything else', () => {
  const refused = after({ refused: { count: 3, last: 'FileSystemWrite /etc/x' }, superseded: 9e9 });
  assert.equal(objection(GOOD_CONDUCT, refused)?.code, 'MAPPER_DENIED');
  assert.match(
    objection(refused, refused)?.message ?? '',
    /3 times, last: FileSystemWrite \/etc\/x/,
  );
});

test('a flood and noise are told while they last', () => {
  const flood = after({ superseded: 1_000 });
  assert.equal(objection(GOOD_CONDUCT, flood)?.code, 'MAPPER_FLOODS');
  assert.equal(objection(flood, flood), undefined);
  const noise = after({ noisy: 1 });
  assert.equal(objection(GOOD_CONDUCT, noise)?.code, 'MAPPER_NOISY');
  assert.equal(objection(noise, noise), undefined);
});

test('calls that it neither answers nor gives up are told until they end', () => {
  const silent = after({ unended: 2 });
  assert.equal(objection(silent, silent)?.code, 'MAPPER_SILENT');
  assert.equal(objection(silent, GOOD_CONDUCT), undefined);
});

test('that it does not give up promptly is told as long as it runs, after what is worse', () => {
  const deaf = after({ tardy: { count: 1, last: 'read of default/one' } });
  assert.equal(objection(GOOD_CONDUCT, deaf)?.code, 'MAPPER_DEAF');
  assert.equal(objection(deaf, deaf)?.code, 'MAPPER_DEAF');
  assert.equal(objection(deaf, { ...deaf, unended: 1 })?.code, 'MAPPER_SILENT');
});

test('a few readings replaced on a busy node are no flood', () => {
  assert.equal(objection(GOOD_CONDUCT, after({ superseded: 999 })), undefined);
});
