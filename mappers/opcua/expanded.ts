/** The library's NodeIds, also those that name a namespace's URI or another server, as text and back (pure). */
import { ExpandedNodeId, NodeId, NodeIdType } from 'node-opcua-nodeid';
import { formatNodeId, type NodeAddress, parseNodeId } from './node-id.ts';

const TYPES = {
  i: NodeIdType.NUMERIC,
  s: NodeIdType.STRING,
  g: NodeIdType.GUID,
  b: NodeIdType.BYTESTRING,
} as const;
const MAX_SERVER = 0xffff_ffff;

/** Part 6, 5.1.12: `i=85`, `ns=2;s=Temp`, `svr=1;nsu=urn:plant;s=Temp`. */
export function textOfNodeId(nodeId: NodeId): string {
  const { namespaceUri, serverIndex } = nodeId as Partial<ExpandedNodeId>;
  const namespace = namespaceUri ? namespaceUri : nodeId.namespace;
  const text = formatNodeId({ namespace, ...idOf(nodeId) });
  return serverIndex ? `svr=${serverIndex};${text}` : text;
}

/** Of what a NodeId holds, kind and value as people write them. */
export function idOf({ identifierType, value }: NodeId): Pick<NodeAddress, 'kind' | 'id'> {
  if (Buffer.isBuffer(value)) return { kind: 'b', id: value.toString('base64') };
  if (identifierType === NodeIdType.NUMERIC) return { kind: 'i', id: Number(value) };
  const kind = identifierType === NodeIdType.GUID ? 'g' : 's';
  return { kind, id: kind === 'g' ? String(value).toLowerCase() : String(value) };
}

/** With the index that its namespace has in a session. */
export function nativeNodeId(
  { kind, id }: Pick<NodeAddress, 'kind' | 'id'>,
  index: number,
): NodeId {
  return new NodeId(TYPES[kind], nativeId(kind, id), index);
}

/** Undefined: it is none, or names a namespace by its URI, which a NodeId cannot. */
export function nodeIdOf(text: string): NodeId | undefined {
  const address = parseNodeId(text);
  return address === undefined || typeof address.namespace === 'string'
    ? undefined
    : nativeNodeId(address, address.namespace);
}

/** Undefined: it is none. */
export function expandedOf(text: string): ExpandedNodeId | undefined {
  const [, server = '0', rest = ''] = /^(?:svr=(\d{1,10});)?(.*)$/s.exec(text) ?? [];
  const address = parseNodeId(rest);
  if (address === undefined || Number(server) > MAX_SERVER) return undefined;
  const { namespace, kind, id } = address;
  const [index, uri] = typeof namespace === 'string' ? [0, namespace] : [namespace, null];
  return new ExpandedNodeId(TYPES[kind], nativeId(kind, id), index, uri, Number(server));
}

function nativeId(kind: NodeAddress['kind'], id: NodeAddress['id']): number | string | Buffer {
  if (kind === 'i') return Number(id);
  if (kind === 'b') return Buffer.from(String(id), 'base64');
  return kind === 'g' ? String(id).toUpperCase() : String(id);
}
