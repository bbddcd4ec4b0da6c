/** The services of OPC UA that this mapper uses, cut into pieces that the server takes; all through one session. */
import { AttributeIds } from 'node-opcua-data-model';
import { DataValue, TimestampsToReturn } from 'node-opcua-data-value';
import { type ExpandedNodeId, makeNodeId, NodeId } from 'node-opcua-nodeid';
import type { StatusCode } from 'node-opcua-status-code';
import {
  CallRequest,
  type CallMethodRequestOptions,
  type CallMethodResult,
  type CallResponse,
  ReadRequest,
  type ReadResponse,
  type ReadValueIdOptions,
  type ReferenceDescription,
  WriteRequest,
  type WriteResponse,
  type WriteValueOptions,
} from 'node-opcua-types';
import { Refused } from '@limpet/dmi';
import { Browse, type Browsing } from './browse.ts';
import { nativeNodeId } from './expanded.ts';
import { formatNodeId, type NodeAddress } from './node-id.ts';
import { complete, inPieces } from './pieces.ts';
import type { Session } from './session.ts';
import type { Status } from './status.ts';

/** How much the server takes in one call; 0 and absence mean that it does not say. */
export interface Limits {
  readonly read: number;
  readonly write: number;
  readonly browse: number;
  readonly monitor: number;
}

/** Well-known nodes (Part 6, A.1), in the order of {@link Limits}. */
const LIMIT_NODES = [11705, 11707, 11710, 11714] as const;
const NAMESPACES = 2255;
const REFERENCES = { HasEncoding: 38, HasSubtype: 45, HasProperty: 46 } as const;
/** Without a limit of the server: so many at once keep a message below a megabyte. */
const USUAL = 1_000;

export class Services {
  readonly #session: Session;
  #limits: Limits = { read: USUAL, write: USUAL, browse: USUAL, monitor: USUAL };
  #namespaces: readonly string[] = [];
  /** What their numbers stand for in visitors. */
  #meant: readonly string[] = [];

  private constructor(session: Session) {
    this.#session = session;
  }

  /**
   * Asks for limits and namespaces first. `meant`: what visitors mean by the numbers of these namespaces.
   * @throws what a service throws
   */
  static async open(
    session: Session,
    signal: AbortSignal,
    meant: (namespaces: readonly string[]) => readonly string[] = (namespaces) => namespaces,
  ): Promise<Services> {
    const services = new Services(session);
    const nodes = [...LIMIT_NODES, NAMESPACES].map((id) => ({
      nodeId: makeNodeId(id),
      attributeId: AttributeIds.Value,
    }));
    const values = await services.attributes(nodes, signal).catch((error: unknown) => {
      if (!(error instanceof Refused)) throw error;
      // Even five are too many for it.
      services.#limits = { ...services.#limits, read: 1 };
      return services.attributes(nodes, signal);
    });
    const [read, write, browse, monitor] = values.map((each) => limitOf(each?.value?.value));
    services.#limits = {
      read: read ?? USUAL,
      write: write ?? USUAL,
      browse: browse ?? USUAL,
      monitor: monitor ?? USUAL,
    };
    const told: unknown = values.at(-1)?.value?.value;
    services.#namespaces = Array.isArray(told) ? told.map(String) : [];
    services.#meant = meant(services.#namespaces);
    return services;
  }

  get session(): Session {
    return this.#session;
  }

  get limits(): Limits {
    return this.#limits;
  }

  get namespaces(): readonly string[] {
    return this.#namespaces;
  }

  /** In this session, whose namespaces have their own numbers. @throws Refused OPCUA_NAMESPACE when the server has none of that URI, or another by that number */
  resolve({ namespace, kind, id }: NodeAddress): NodeId {
    if (typeof namespace === 'number') this.#still({ namespace, kind, id });
    const index = typeof namespace === 'number' ? namespace : this.#namespaces.indexOf(namespace);
    if (index < 0) {
      throw new Refused(
        'OPCUA_NAMESPACE',
        `the server has no namespace ${namespace}; it has ${this.#namespaces.slice(0, 20).join(', ').slice(0, 1_000)}`,
      );
    }
    return nativeNodeId({ kind, id }, index);
  }

  /** 0 and 1 have a meaning of their own: the standard, and the server itself (Part 3, 8.2.2). */
  #still(address: NodeAddress & { readonly namespace: number }): void {
    const { namespace } = address;
    const [meant, now] = [this.#meant[namespace], this.#namespaces[namespace]];
    if (namespace < 2 || meant === undefined || meant === now || this.#namespaces.length === 0)
      return;
    const own = formatNodeId({ ...address, namespace: meant });
    throw new Refused(
      'OPCUA_NAMESPACE',
      `ns=${namespace} was ${meant} and is ${now ?? 'nothing'} since the server was started anew; write ${own}, or restart this node if the new one is meant`,
    );
  }

  /** In the order asked. */
  async attributes(
    nodes: readonly ReadValueIdOptions[],
    signal: AbortSignal,
    timestamps: TimestampsToReturn = TimestampsToReturn.Neither,
  ): Promise<readonly DataValue[]> {
    const ask = async (nodesToRead: readonly ReadValueIdOptions[]) => {
      const request = new ReadRequest({
        nodesToRead: [...nodesToRead],
        timestampsToReturn: timestamps,
        // Not from the server's cache.
        maxAge: 0,
      });
      const { results } = await this.#session.ask<ReadResponse>(request, signal);
      return complete(results, nodesToRead.length, 'Read');
    };
    const alone = (status: Status) => new DataValue({ statusCode: status as StatusCode });
    return inPieces(nodes, { ...this.#size('read'), ask, alone });
  }

  async write(
    values: readonly WriteValueOptions[],
    signal: AbortSignal,
  ): Promise<readonly Status[]> {
    const ask = async (nodesToWrite: readonly WriteValueOptions[]): Promise<readonly Status[]> => {
      const request = new WriteRequest({ nodesToWrite: [...nodesToWrite] });
      const { results } = await this.#session.ask<WriteResponse>(request, signal);
      return complete(results, nodesToWrite.length, 'Write');
    };
    return inPieces(values, { ...this.#size('write'), ask, alone: (status) => status });
  }

  /** `timeoutMs`: a method may take its time. */
  async call(
    method: CallMethodRequestOptions,
    signal: AbortSignal,
    timeoutMs: number,
  ): Promise<CallMethodResult> {
    const request = new CallRequest({ methodsToCall: [method] });
    const { results } = await this.#session.ask<CallResponse>(request, signal, timeoutMs);
    const [result] = complete(results, 1, 'Call');
    return result as CallMethodResult;
  }

  /** The references of each node. */
  references(
    nodes: readonly NodeId[],
    browsing: Browsing,
    signal: AbortSignal,
  ): Promise<readonly (readonly ReferenceDescription[])[]> {
    const browser = { session: this.#session, ...this.#size('browse') };
    return new Browse(browser, browsing, signal).of(nodes);
  }

  /** As this server's own; undefined: it is on another server, or in a namespace that this one lacks. */
  local(nodeId: NodeId): NodeId | undefined {
    const { serverIndex, namespaceUri } = nodeId as Partial<ExpandedNodeId>;
    if (serverIndex) return undefined;
    const index = namespaceUri ? this.#namespaces.indexOf(namespaceUri) : nodeId.namespace;
    return index < 0 ? undefined : new NodeId(nodeId.identifierType, nodeId.value, index);
  }

  /** What a reference of this kind leads to, or comes from: the type of an encoding, the supertype of a type. */
  async follow(
    node: NodeId,
    kind: 'HasEncoding' | 'HasSubtype',
    signal: AbortSignal,
  ): Promise<NodeId | undefined> {
    const options = { type: REFERENCES[kind], inverse: true };
    const [found] = await this.references([node], options, signal);
    return found?.[0] === undefined ? undefined : this.local(found[0].nodeId);
  }

  /** The values of a node's properties with these names. */
  async properties(
    node: NodeId,
    names: readonly string[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, DataValue>> {
    const [found = []] = await this.references([node], { type: REFERENCES.HasProperty }, signal);
    const wanted = new Map<string, NodeId>();
    for (const { browseName, nodeId } of found) {
      const [name, own] = [browseName.name ?? '', this.local(nodeId)];
      if (names.includes(name) && own !== undefined) wanted.set(name, own);
    }
    const nodes = [...wanted.values()].map((nodeId) => ({
      nodeId,
      attributeId: AttributeIds.Value,
    }));
    const values = await this.attributes(nodes, signal);
    return new Map([...wanted.keys()].map((name, index) => [name, values[index] as DataValue]));
  }

  /** What one call may have, until the server takes less. */
  #size(call: keyof Limits): { most: () => number; fewer: (count: number) => void } {
    return {
      most: () => this.#limits[call],
      fewer: (count) => {
        this.#limits = { ...this.#limits, [call]: count };
      },
    };
  }
}

function limitOf(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 1 ? Math.min(Math.floor(value), USUAL) : undefined;
}
