/** Servers that announce one thing and take another; the session's answers are made here. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refused } from '@limpet/dmi';
import { DataValue } from 'node-opcua-data-value';
import { ExpandedNodeId, makeNodeId, type NodeId, NodeIdType } from 'node-opcua-nodeid';
import { StatusCodes } from 'node-opcua-status-code';
import {
  BrowseNextRequest,
  BrowseRequest,
  BrowseResult,
  ReadRequest,
  ReferenceDescription,
  WriteRequest,
} from 'node-opcua-types';
import { DataType } from 'node-opcua-variant';
import { Services } from './services.ts';
import type { Session } from './session.ts';
import { serviceError } from './status.ts';
import { walk } from './tree.ts';

const never = new AbortController().signal;
const nodeOf = (name: string): NodeId => makeNodeId(name, 2);
const read = (name: string) => ({ nodeId: nodeOf(name), attributeId: 13 });
const NAMESPACES = ['http://opcfoundation.org/UA/', 'urn:server', 'urn:plant'];

/** How a server is out of the ordinary. */
interface Odd {
  /** What it says of each limit. */
  readonly says?: number;
  /** How many nodes it really takes in one call. */
  readonly takes?: number;
  /** Names of nodes whose value, alone or among others, is too large for an answer. */
  readonly large?: readonly string[];
  /** Continuation points that it keeps at a time. */
  readonly points?: number;
  /** References of each node that it tells in one answer. */
  readonly page?: number;
  readonly tree?: (name: string) => readonly ReferenceDescription[];
}

/** A session with such a server; `asked` is how many nodes each call had. */
async function opened(odd: Odd) {
  const asked: number[] = [];
  const pending = new Map<string, ReferenceDescription[]>();
  const answered = (found: readonly ReferenceDescription[], name: string): BrowseResult => {
    const { page = 1_000, points = 1 } = odd;
    const rest = found.slice(page);
    if (rest.length === 0) return new BrowseResult({ references: [...found] });
    if (pending.size >= points)
      return new BrowseResult({ statusCode: StatusCodes.BadNoContinuationPoints });
    pending.set(name, rest);
    const continuationPoint = Buffer.from(name);
    return new BrowseResult({ references: found.slice(0, page), continuationPoint });
  };
  const valueOf = (nodeId: NodeId): DataValue => {
    if (nodeId.namespace === 2)
      return new DataValue({ value: { dataType: DataType.String, value: String(nodeId.value) } });
    const value = nodeId.value === 2255 ? NAMESPACES : (odd.says ?? 0);
    return { value: { value } } as unknown as DataValue;
  };
  const checked = (nodes: readonly { readonly nodeId: NodeId }[]): void => {
    asked.push(nodes.length);
    if (nodes.length > (odd.takes ?? Infinity))
      throw serviceError(StatusCodes.BadTooManyOperations, 'it');
    if (nodes.some(({ nodeId }) => odd.large?.includes(String(nodeId.value)) === true))
      throw serviceError(StatusCodes.BadResponseTooLarge, 'it');
  };
  const session = {
    async ask(request: object) {
      if (request instanceof ReadRequest) {
        const nodes = request.nodesToRead ?? [];
        checked(nodes);
        return { results: nodes.map(({ nodeId }) => valueOf(nodeId)) };
      }
      if (request instanceof WriteRequest) {
        const nodes = request.nodesToWrite ?? [];
        checked(nodes);
        return { results: nodes.map(() => StatusCodes.Good) };
      }
      if (request instanceof BrowseRequest) {
        const nodes = request.nodesToBrowse ?? [];
        checked(nodes);
        const names = nodes.map(({ nodeId }) => String(nodeId.value));
        return { results: names.map((name) => answered(odd.tree?.(name) ?? [], name)) };
      }
      assert.ok(request instanceof BrowseNextRequest);
      const [point = assert.fail()] = request.continuationPoints ?? [];
      const name = point.toString();
      const rest = pending.get(name) ?? [];
      pending.delete(name);
      return { results: [answered(rest, name)] };
    },
  };
  const services = await Services.open(session as unknown as Session, never);
  asked.length = 0;
  return { services, asked };
}

function reference(name: string | ExpandedNodeId, parts: object = {}): ReferenceDescription {
  const own = typeof name === 'string';
  return new ReferenceDescription({
    nodeId: own ? new ExpandedNodeId(NodeIdType.STRING, name, 2) : name,
    browseName: { name: own ? name : String(name.value) },
    nodeClass: 1,
    referenceTypeId: makeNodeId(35),
    ...parts,
  });
}
const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `N${index}`);
const values = (read: readonly DataValue[]): unknown[] =>
  read.map(({ value, statusCode }) => value?.value ?? statusCode.name);

test('a server that takes less than it says is asked for less, and remembered so', async () => {
  const { services, asked } = await opened({ says: 100, takes: 7 });
  const wanted = names(20);
  assert.deepEqual(values(await services.attributes(wanted.map(read), never)), wanted);
  asked.length = 0;
  assert.deepEqual(values(await services.attributes(wanted.map(read), never)), wanted);
  assert.ok(Math.max(...asked) <= 7, `asked ${asked.join()}`);
  const writes = wanted.map((name) => ({ ...read(name), value: {} }));
  assert.equal((await services.write(writes, never)).length, 20);
  assert.equal((await services.references(wanted.map(nodeOf), { type: 33 }, never)).length, 20);
});

test('limits of 0, of parts of one and beyond reason end no call', async () => {
  for (const says of [0, 0.25, 1.5, -1, Number.NaN, 2 ** 32 - 1]) {
    const { services, asked } = await opened({ says });
    const wanted = names(3);
    assert.deepEqual(values(await services.attributes(wanted.map(read), never)), wanted);
    assert.ok(asked.length <= 3, `${says}: asked ${asked.join()}`);
  }
});

test('a value that is too large for an answer is refused alone', async () => {
  const { services } = await opened({ large: ['N3'] });
  const found = values(await services.attributes(names(6).map(read), never));
  assert.deepEqual(found, ['N0', 'N1', 'N2', 'BadResponseTooLarge', 'N4', 'N5']);
});

test('a refusal for another reason is one', async () => {
  const { services } = await opened({});
  const session = services.session as unknown as { ask: () => Promise<never> };
  session.ask = () => Promise.reject(serviceError(StatusCodes.BadUserAccessDenied, 'it'));
  await assert.rejects(services.attributes(names(2).map(read), never), Refused);
});

test('a server with one continuation point is browsed whole', async () => {
  const leaves = (name: string) => names(5).map((each) => reference(`${name}.${each}`));
  const { services } = await opened({ points: 1, page: 2, tree: leaves });
  const missed: string[] = [];
  const options = { type: 33, missed: (status: string) => void missed.push(status) };
  const found = await services.references(names(3).map(nodeOf), options, never);
  assert.deepEqual(
    found.map((each) => each.map(({ browseName }) => browseName.name)),
    names(3).map((name) => names(5).map((each) => `${name}.${each}`)),
  );
  assert.deepEqual(missed, []);
});

test('answers that hold more than was asked for are cut, however much that is', async () => {
  const endless = Array.from<ReferenceDescription>({ length: 400_000 }).fill(reference('again'));
  for (const page of [400_000, 200_000]) {
    const { services } = await opened({ page, tree: () => endless });
    const missed: string[] = [];
    const options = { type: 33, missed: (status: string) => void missed.push(status) };
    const [found] = await services.references([nodeOf('root')], options, never);
    assert.deepEqual([found?.length, missed], [10_000, ['more than 10000 references']]);
  }
});

test('nodes of other servers are counted, not taken for ours; those by URI are found', async () => {
  const remote = new ExpandedNodeId(NodeIdType.STRING, 'Remote', 2, null, 1);
  const byUri = new ExpandedNodeId(NodeIdType.STRING, 'Here', 0, 'urn:plant');
  const unknown = new ExpandedNodeId(NodeIdType.STRING, 'Gone', 0, 'urn:nowhere');
  const all = [remote, byUri, unknown].map((node) => reference(node, { nodeClass: 2 }));
  const { services } = await opened({ tree: (name) => (name === 'Root' ? all : []) });
  const tree = await walk(services, nodeOf('Root'), () => undefined, never);
  assert.deepEqual(
    tree.leaves.map(({ nodeId }) => nodeId.toString()),
    ['ns=2;s=Here'],
  );
  assert.equal(tree.elsewhere, 2);
});

test('an address space without end is cut by number and depth, and what describes a node by name', async () => {
  let asked = 0;
  const deep = await opened({
    tree: (name) => {
      asked += 1;
      return asked > 1_000 ? [] : [reference(`${name}x`)];
    },
  });
  const line = await walk(deep.services, nodeOf('R'), () => undefined, never);
  assert.ok(asked <= 64, `${asked} levels`);
  assert.equal(line.tooDeep, 1);
  const described = names(9_000).map((name) =>
    reference(`d${name}`, { browseName: { name }, nodeClass: 2, referenceTypeId: makeNodeId(46) }),
  );
  const unit = reference('unit', {
    browseName: { name: 'EngineeringUnits' },
    nodeClass: 2,
    referenceTypeId: makeNodeId(46),
  });
  const wide = await opened({
    tree: (name) =>
      name === 'R' ? [reference('V', { nodeClass: 2 })] : name === 'V' ? [...described, unit] : [],
  });
  const { leaves } = await walk(wide.services, nodeOf('R'), () => undefined, never);
  assert.deepEqual([...(leaves[0]?.properties.keys() ?? [])], ['EngineeringUnits']);
});

test('a node that cannot be browsed is counted with its reason', async () => {
  const { services } = await opened({ tree: () => [] });
  const session = services.session as unknown as { ask: () => Promise<object> };
  session.ask = async () => ({
    results: [new BrowseResult({ statusCode: StatusCodes.BadNodeIdUnknown })],
  });
  const tree = await walk(services, nodeOf('R'), () => undefined, never);
  assert.deepEqual([...tree.missed], [['BadNodeIdUnknown', 1]]);
});
