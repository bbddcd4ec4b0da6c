/**
 * One connection: two ordered streams of text between the real sessions, through the real doors. Either end
 * may be gone before the other notices; what is under way may then still arrive.
 */
import { readFromEdge } from '#cloud/service/hub/frames.ts';
import { readFromCloud } from '#runtime/sync/from-cloud.ts';
import type { FromCloud, FromEdge } from '#protocol';

/** The part of a session that a connection drives; mutants wrap it. */
export interface EdgeEnd {
  received(message: FromCloud): void;
  changed(): void;
  closed(): void;
}

export interface CloudEnd {
  received(message: FromEdge): void;
  wantedChanged(): void;
  fence(): void;
  closed(): void;
}

export class Connection {
  readonly node: string;
  /** Of the edge that opened it. */
  readonly epoch: string;
  readonly up: string[] = [];
  readonly down: string[] = [];
  /** Everything ever sent up, for whoever repeats it. */
  readonly said: string[] = [];
  edge: EdgeEnd | undefined;
  cloud: CloudEnd | undefined;

  constructor(node: string, epoch: string) {
    this.node = node;
    this.epoch = epoch;
  }

  sendUp(message: FromEdge): void {
    const text = JSON.stringify(message);
    this.up.push(text);
    this.said.push(text);
  }

  sendDown(message: FromCloud): void {
    this.down.push(JSON.stringify(message));
  }

  /** The next message reaches the cloud; returns it. */
  deliverUp(): FromEdge | undefined {
    const text = this.up.shift();
    if (text === undefined || this.cloud === undefined) return undefined;
    const frame = readFromEdge(text);
    if (!frame.ok || frame.spoiled > 0) throw new Error(`the cloud's door refused: ${text}`);
    this.cloud.received(frame.message);
    return frame.message;
  }

  deliverDown(): FromCloud | undefined {
    const text = this.down.shift();
    if (text === undefined || this.edge === undefined) return undefined;
    const message = readFromCloud(text);
    this.edge.received(message);
    return message;
  }

  edgeGone(): void {
    this.edge?.closed();
    this.edge = undefined;
  }

  cloudGone(): void {
    this.cloud?.closed();
    this.cloud = undefined;
  }
}
