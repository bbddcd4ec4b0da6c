/** The services of OPC UA that this mapper uses, cut into pieces that the server takes; all through one session. */
import { AttributeIds, BrowseDirection } from 'node-opcua-data-model';
import { type DataValue, TimestampsToReturn } from 'node-opcua-data-value';
import { coerceNodeId, makeNodeId, type NodeId } from 'node-opcua-nodeid';
import {
  BrowseNextRequest,
  type BrowseNextResponse,
  BrowseRequest,
  type BrowseResponse,
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
import { Refused, Unreachable } from '@limpet/dmi';
import { nativeNodeId } from './expanded.ts';
import type { NodeAddress } from './node-id.ts';
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
/** References of one node; a server that goes on for ever does not fill this process. */
const MAX_REFERENCES = 10_000;

export class Services {
  readonly #session: Session;
  #limits: Limits = { read: USUAL, write: USUAL, browse: USUAL, monitor: USUAL };
  #namespaces: readonly string[] = [];

  private constructor(session: Session) {
    this.#session = session;
  }

  /** Asks for limits and namespaces first. @throws what a service throws */
  static async open(session: Session, signal: AbortSignal): Promise<Services> {
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

  /** In this session, whose namespaces have their own numbers. @throws Refused OPCUA_NAMESPACE when the server has none of that URI */
  resolve({ namespace, kind, id }: NodeAddress): NodeId {
    const index = typeof namespace === 'number' ? namespace : this.#namespaces.indexOf(namespace);
    if (index < 0) {
      throw new Refused(
        'OPCUA_NAMESPACE',
        `the server has no namespace ${namespace}; it has ${this.#namespaces.slice(0, 20).join(', ').slice(0, 1_000)}`,
      );
    }
    return nativeNodeId({ kind, id }, index);
  }

  /** In the order asked. */
  async attributes(
    nodes: readonly ReadValueIdOptions[],
    signal: AbortSignal,
    timestamps: TimestampsToReturn = TimestampsToReturn.Neither,
  ): Promise<readonly DataValue[]> {
    const values: DataValue[] = [];
    for (const nodesToRead of pieces(nodes, this.#limits.read)) {
      const request = new ReadRequest({
        nodesToRead,
        timestampsToReturn: timestamps,
        // Not from the server's cache.
        maxAge: 0,
      });
      const { results } = await this.#session.ask<ReadResponse>(request, signal);
      values.push(...complete(results, nodesToRead.length, 'Read'));
    }
    return values;
  }

  async write(
    values: readonly WriteValueOptions[],
    signal: AbortSignal,
  ): Promise<readonly Status[]> {
    const answers: Status[] = [];
    for (const nodesToWrite of pieces(values, this.#limits.write)) {
      const request = new WriteRequest({ nodesToWrite });
      const { results } = await this.#session.ask<WriteResponse>(request, signal);
      answers.push(...complete(results, nodesToWrite.length, 'Write'));
    }
    return answers;
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

  /** The references of each node, continuation points followed. */
  async references(
    nodes: readonly NodeId[],
    {
      type,
      inverse = false,
      subtypes = true,
    }: { readonly type: number; readonly inverse?: boolean; readonly subtypes?: boolean },
    signal: AbortSignal,
  ): Promise<readonly (readonly ReferenceDescription[])[]> {
    const all: ReferenceDescription[][] = [];
    for (const some of pieces(nodes, this.#limits.browse)) {
      const request = new BrowseRequest({
        requestedMaxReferencesPerNode: USUAL,
        nodesToBrowse: some.map((nodeId) => ({
          nodeId,
          browseDirection: inverse ? BrowseDirection.Inverse : BrowseDirection.Forward,
          referenceTypeId: makeNodeId(type),
          includeSubtypes: subtypes,
          nodeClassMask: 0,
          resultMask: 63,
        })),
      });
      const { results } = await this.#session.ask<BrowseResponse>(request, signal);
      for (const { references, continuationPoint } of complete(results, some.length, 'Browse')) {
        const found = [...(references ?? [])];
        all.push(found);
        await this.#rest(continuationPoint, found, signal);
      }
    }
    return all;
  }

  /** What a reference of this kind leads to, or comes from: the type of an encoding, the supertype of a type. */
  async follow(
    node: NodeId,
    kind: 'HasEncoding' | 'HasSubtype',
    signal: AbortSignal,
  ): Promise<NodeId | undefined> {
    const options = { type: REFERENCES[kind], inverse: true };
    const [found] = await this.references([node], options, signal);
    return found?.[0] === undefined ? undefined : local(found[0].nodeId);
  }

  /** The values of a node's properties with these names. */
  async properties(
    node: NodeId,
    names: readonly string[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, DataValue>> {
    const [found = []] = await this.references([node], { type: REFERENCES.HasProperty }, signal);
    const wanted = found.filter(({ browseName }) => names.includes(browseName.name ?? ''));
    const nodes = wanted.map(({ nodeId }) => ({
      nodeId: local(nodeId),
      attributeId: AttributeIds.Value,
    }));
    const values = nodes.length === 0 ? [] : await this.attributes(nodes, signal);
    return new Map(
      wanted.flatMap(({ browseName }, index) => {
        const value = values[index];
        return value === undefined ? [] : [[browseName.name ?? '', value] as const];
      }),
    );
  }

  async #rest(
    point: Buffer | null,
    found: ReferenceDescription[],
    signal: AbortSignal,
  ): Promise<void> {
    let next = point;
    for (let count = 0; next !== null && next !== undefined && next.length > 0; count++) {
      // Each brings some, unless the server goes on for ever with nothing.
      const enough = found.length >= MAX_REFERENCES || count >= MAX_REFERENCES;
      const request = new BrowseNextRequest({
        continuationPoints: [next],
        releaseContinuationPoints: enough,
      });
      const { results } = await this.#session.ask<BrowseNextResponse>(request, signal);
      if (enough) return;
      const more = results?.[0];
      found.push(...(more?.references ?? []));
      next = more?.continuationPoint ?? null;
    }
  }
}

/** A node of this very server, without the parts that name another. */
export function local(nodeId: NodeId): NodeId {
  return coerceNodeId(nodeId.toString().replace(/^svr=0;/, ''));
}

/** Lists of at most so many. */
export function* pieces<T>(items: readonly T[], most: number): Generator<T[]> {
  for (let at = 0; at < items.length; at += most) yield items.slice(at, at + most);
}

/** @throws Unreachable OPCUA_ANSWER when the server does not answer each of what it was asked */
export function complete<T>(results: T[] | null, count: number, service: string): T[] {
  if (results?.length === count) return results;
  throw new Unreachable(
    'OPCUA_ANSWER',
    `${service}: the server answered ${results?.length ?? 0} of ${count}; it breaks the protocol`,
  );
}

function limitOf(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 ? Math.min(value, USUAL) : undefined;
}
