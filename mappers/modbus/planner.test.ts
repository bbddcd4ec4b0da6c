import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as v from 'valibot';
import { cut, type Limits, plan } from './planner.ts';
import { type Visitor, visitor } from './visitor.ts';

const LIMITS: Limits = { gap: 8, maxRegisters: 125, maxBits: 2000 };
const at = (address: number, fields: object = {}): Visitor =>
  v.parse(visitor, { register: 'holding', address, ...fields });
const shape = (visitors: Visitor[], limits: Partial<Limits> = {}, cuts: string[] = []) =>
  plan(visitors, { ...LIMITS, ...limits }, new Set(cuts)).map(
    ({ table, address, count, members }) => `${table} ${address}+${count}: ${members.join()}`,
  );

test('adjacent and near registers share a request, in any order asked', () => {
  assert.deepEqual(shape([at(4), at(0, { type: 'float32' }), at(2)]), ['holding 0+5: 1,2,0']);
});
test('a hole is read over up to its limit', () => {
  assert.deepEqual(shape([at(0), at(9)]), ['holding 0+10: 0,1']);
  assert.deepEqual(shape([at(0), at(10)]), ['holding 0+1: 0', 'holding 10+1: 1']);
  assert.deepEqual(shape([at(0), at(2)], { gap: 0 }), ['holding 0+1: 0', 'holding 2+1: 1']);
});
test('tables are never mixed', () => {
  assert.deepEqual(shape([at(0), at(0, { register: 'input' })]), [
    'holding 0+1: 0',
    'input 0+1: 1',
  ]);
});
test('125 registers fit into one request and the 126th does not', () => {
  const all = Array.from({ length: 126 }, (_, i) => at(i));
  assert.deepEqual(
    plan(all, LIMITS, new Set()).map(({ count }) => count),
    [125, 1],
  );
});
test('a wide value is never torn by the ceiling', () => {
  const all = [at(0, { type: 'string', length: 248 }), at(124, { type: 'float32' })];
  assert.deepEqual(shape(all), ['holding 0+124: 0', 'holding 124+2: 1']);
});
test('2,000 bits fit into one request', () => {
  const all = Array.from({ length: 2001 }, (_, i) => at(i, { register: 'coil' }));
  assert.deepEqual(
    plan(all, LIMITS, new Set()).map(({ count }) => count),
    [2000, 1],
  );
});
test('sixteen bits of one register are one request', () => {
  const bits = Array.from({ length: 16 }, (_, bit) => at(7, { bit }));
  assert.equal(plan(bits, LIMITS, new Set())[0]?.count, 1);
});
test('a refused block is parted at a hole first, else in the middle, and stays parted', () => {
  const holed = [at(0), at(1), at(5), at(6)];
  const [block] = plan(holed, LIMITS, new Set());
  assert.ok(block);
  assert.equal(cut(block, holed), 'holding 5');
  assert.deepEqual(shape(holed, {}, ['holding 5']), ['holding 0+2: 0,1', 'holding 5+2: 2,3']);
  const full = [at(0), at(1), at(2), at(3)];
  const [whole] = plan(full, LIMITS, new Set());
  assert.ok(whole);
  assert.equal(cut(whole, full), 'holding 2');
});
test('what starts at one register cannot be parted', () => {
  const same = [at(3, { bit: 0 }), at(3, { bit: 9 }), at(3, { type: 'float32' })];
  const [block] = plan(same, LIMITS, new Set());
  assert.ok(block);
  assert.equal(cut(block, same), undefined);
});

test('every visitor is in exactly one block, whole, and no ceiling is exceeded', () => {
  const types = fc.constantFrom('uint16', 'float32', 'int64');
  const any = fc.oneof(
    fc.record({ register: fc.constantFrom('holding', 'input'), address: fc.nat(400), type: types }),
    fc.record({ register: fc.constantFrom('coil', 'discrete'), address: fc.nat(3000) }),
  );
  const limits = fc.record({
    gap: fc.nat(20),
    maxRegisters: fc.integer({ min: 4, max: 125 }),
    maxBits: fc.integer({ min: 1, max: 2000 }),
  });
  const cuts = fc.array(fc.nat(400).map((address) => `holding ${address}`));
  fc.assert(
    fc.property(fc.array(any, { maxLength: 80 }), limits, cuts, (fields, limits, cuts) => {
      const visitors = fields.map((each) => v.parse(visitor, each));
      const blocks = plan(visitors, limits, new Set(cuts));
      const members = blocks.flatMap((block) => block.members);
      assert.deepEqual(
        members.toSorted((a, b) => a - b),
        visitors.map((_, index) => index),
      );
      for (const { table, address, count, members } of blocks) {
        const bits = table === 'coil' || table === 'discrete';
        assert.ok(count <= (bits ? limits.maxBits : limits.maxRegisters));
        for (const index of members) {
          const member = visitors[index] as Visitor;
          assert.equal(member.register, table);
          assert.ok(member.address >= address);
          assert.ok(member.address + member.count <= address + count);
          assert.ok(member.address === address || !cuts.includes(`${table} ${member.address}`));
        }
      }
    }),
  );
});
