/** The references of nodes, continuation points followed (OPC UA Part 4, 5.8). */
import { BrowseDirection } from 'node-opcua-data-model';
import { makeNodeId, type NodeId } from 'node-opcua-nodeid';
import {
  BrowseNextRequest,
  type BrowseNextResponse,
  BrowseRequest,
  type BrowseResponse,
  type BrowseResult,
  type ReferenceDescription,
} from 'node-opcua-types';
import { complete, inPieces } from './pieces.ts';
import type { Session } from './session.ts';
import { isGood, type Status } from './status.ts';

export interface Browsing {
  /** Of the references, with its subtypes. */
  readonly type: number;
  readonly inverse?: boolean;
  /** Told for each node of which not all could be had, and why. */
  readonly missed?: (reason: string) => void;
}

export interface Browser {
  readonly session: Session;
  /** Nodes in one call; and that the server took so few only. */
  readonly most: () => number;
  readonly fewer: (count: number) => void;
}

interface Found {
  readonly references: readonly ReferenceDescription[];
  readonly status: Status;
}

/** In one answer. */
const PAGE = 1_000;
/** Of one node; a server that goes on for ever does not fill this process. */
const MAX_REFERENCES = 10_000;
/** Of all nodes of one browse together. */
const MAX_TOGETHER = 100_000;
const CUT: Status = { value: 0x8000_0000, name: `more than ${MAX_REFERENCES} references` };
const NO_POINTS = 'BadNoContinuationPoints';

/** Invariant: `#room` is what may still be kept of this browse. */
export class Browse {
  readonly #browser: Browser;
  readonly #browsing: Browsing;
  readonly #signal: AbortSignal;
  #room = MAX_TOGETHER;

  constructor(browser: Browser, browsing: Browsing, signal: AbortSignal) {
    this.#browser = browser;
    this.#browsing = browsing;
    this.#signal = signal;
  }

  /** In the order of the nodes. @throws what a service throws */
  async of(nodes: readonly NodeId[]): Promise<readonly (readonly ReferenceDescription[])[]> {
    const { most, fewer } = this.#browser;
    const ask = (some: readonly NodeId[]): Promise<readonly Found[]> => this.#ask(some);
    const alone = (status: Status): Found => ({ references: [], status });
    const all = await inPieces(nodes, { most, fewer, ask, alone });
    for (const [index, { status }] of all.entries()) {
      if (status.name !== NO_POINTS) continue;
      // The others have given theirs back.
      [all[index] = alone(status)] = await this.#ask([nodes[index] as NodeId]);
    }
    for (const { status } of all) if (!isGood(status)) this.#browsing.missed?.(status.name);
    return all.map(({ references }) => references);
  }

  async #ask(some: readonly NodeId[]): Promise<Found[]> {
    const { type, inverse = false } = this.#browsing;
    const request = new BrowseRequest({
      requestedMaxReferencesPerNode: PAGE,
      nodesToBrowse: some.map((nodeId) => ({
        nodeId,
        browseDirection: inverse ? BrowseDirection.Inverse : BrowseDirection.Forward,
        referenceTypeId: makeNodeId(type),
        includeSubtypes: true,
        nodeClassMask: 0,
        resultMask: 63,
      })),
    });
    const { results } = await this.#browser.session.ask<BrowseResponse>(request, this.#signal);
    const all: Found[] = [];
    for (const result of complete(results, some.length, 'Browse'))
      all.push(await this.#whole(result));
    return all;
  }

  async #whole(first: BrowseResult): Promise<Found> {
    const most = Math.min(MAX_REFERENCES, this.#room);
    let found = (first.references ?? []).slice(0, most + 1);
    let [last, status]: [BrowseResult, Status] = [first, first.statusCode];
    for (let count = 0; last.continuationPoint?.length > 0; count++) {
      // Each brings some, unless the server goes on for ever with nothing.
      const enough = found.length >= most || count >= MAX_REFERENCES;
      const more = await this.#more(last.continuationPoint, enough);
      if (enough || more === undefined) {
        status = CUT;
        break;
      }
      found = found.concat(more.references ?? []).slice(0, most + 1);
      [last, status] = [more, more.statusCode];
    }
    // A server may tell more in one answer than it was asked for.
    if (found.length > most) [found, status] = [found.slice(0, most), CUT];
    this.#room -= found.length;
    return { references: found, status };
  }

  /** `release`: nothing more is wanted. */
  async #more(point: Buffer, release: boolean): Promise<BrowseResult | undefined> {
    const request = new BrowseNextRequest({
      continuationPoints: [point],
      releaseContinuationPoints: release,
    });
    const answer = await this.#browser.session.ask<BrowseNextResponse>(request, this.#signal);
    return answer.results?.[0];
  }
}
