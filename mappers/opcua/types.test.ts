/** What a server says of its data types, however it nests them; no server is needed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refused, Unreachable } from '@limpet/dmi';
import { makeNodeId, type NodeId } from 'node-opcua-nodeid';
import type { Services } from './services.ts';
import { Types } from './types.ts';

const never = new AbortController().signal;
const nodeOf = (name: string): NodeId => makeNodeId(name, 2);

/** Types by name, each with the types of its fields; `asked` counts what is read of the server. */
function typesOf(structures: Record<string, readonly string[]>, failing = new Set<string>()) {
  let asked = 0;
  const services = {
    attributes: async ([{ nodeId }]: [{ nodeId: NodeId }]) => {
      asked += 1;
      if (asked > 1_000) throw new Error('it asks without end');
      const name = String(nodeId.value);
      if (failing.has(name)) throw new Unreachable('OPCUA_CLOSED', 'gone');
      const fields = structures[name]?.map((type, index) => ({
        name: `f${index}`,
        dataType: type === 'Double' ? makeNodeId(11) : nodeOf(type),
        valueRank: -1,
        isOptional: false,
      }));
      if (fields === undefined) throw new Refused('OPCUA_BAD_NODE_ID_UNKNOWN', name);
      const defaultEncodingId = nodeOf(`${name}.encoding`);
      const told = { structureType: 0, fields, defaultEncodingId };
      return [{ value: { value: told } }, { value: { value: { name } } }];
    },
  };
  return { types: new Types(services as unknown as Services), asked: () => asked };
}

test('a structure made of itself is looked up once, and is itself within', async () => {
  const { types, asked } = typesOf({ Tree: ['Tree', 'Double', 'Tree', 'Leaf'], Leaf: ['Tree'] });
  const tree = await types.kindOf(nodeOf('Tree'), never);
  assert.equal(asked(), 2);
  assert.ok(tree.kind === 'structure');
  assert.equal(tree.fields[0]?.kind, tree);
  const leaf = tree.fields[3]?.kind;
  assert.ok(leaf?.kind === 'structure');
  assert.equal(leaf.fields[0]?.kind, tree);
  assert.equal(await types.kindOf(nodeOf('Leaf'), never), leaf);
  assert.equal(asked(), 2);
});

test('a value with encodings without end costs a few look-ups', async () => {
  let asked = 0;
  const services = {
    follow: async () => {
      asked += 1;
      throw new Refused('OPCUA_BAD_NODE_ID_UNKNOWN', 'x');
    },
  };
  const types = new Types(services as unknown as Services);
  const encodings = Array.from({ length: 5_000 }, (_, index) => nodeOf(`e${index}`));
  await types.learn(encodings, never);
  assert.ok(asked <= 256, `${asked} look-ups`);
  await types.learn(encodings.slice(0, 3), never);
  assert.ok(asked <= 256, 'what is known is not asked again');
});

test('what could not be looked up whole is kept nowhere', async () => {
  const failing = new Set(['Missing']);
  const all = { Outer: ['Inner', 'Missing'], Inner: ['Outer'], Missing: ['Double'] };
  const { types } = typesOf(all, failing);
  await assert.rejects(types.kindOf(nodeOf('Outer'), never), { code: 'OPCUA_CLOSED' });
  assert.equal(types.encoded(nodeOf('Inner.encoding')), undefined);
  failing.clear();
  const inner = await types.kindOf(nodeOf('Inner'), never);
  assert.ok(inner.kind === 'structure' && inner.fields[0]?.kind.kind === 'structure');
  assert.equal(inner.fields[0].kind.fields.length, 2);
});
