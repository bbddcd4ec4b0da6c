/** An edge that reports one property, counting up, as fast as it is acknowledged, over one connection after another. */
import { WebSocket } from 'ws';
import { FACTS } from '#cloud/service/testing.ts';
import type { FromCloud, FromEdge } from '#protocol';
import { pause } from '../rig/until.ts';

export class PlayedEdge {
  /** The highest seq that was acknowledged. */
  acknowledged = 0;
  /** Connections that were welcomed. */
  sessions = 0;
  readonly #url: string;
  readonly #node: string;
  #socket: WebSocket | undefined;
  #stopped = false;
  #stored = 0;

  constructor(url: string, node: string) {
    this.#url = url;
    this.#node = node;
  }

  /** @throws when the cloud has forgotten what it acknowledged. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      const socket = new WebSocket(this.#url, { perMessageDeflate: false });
      this.#socket = socket;
      let forgotten: Error | undefined;
      socket.on('error', () => undefined);
      socket.on('open', () =>
        this.#say({
          type: 'hello',
          protocol: 1,
          node: this.#node,
          epoch: 'e1',
          rev: this.#stored,
          facts: FACTS,
        }),
      );
      socket.on('message', (content: Buffer) => {
        forgotten ??= this.#hear(JSON.parse(content.toString()) as FromCloud);
        if (forgotten) socket.terminate();
      });
      await new Promise((resolve) => socket.once('close', resolve));
      if (forgotten) throw forgotten;
      await pause(50);
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#socket?.terminate();
  }

  #hear(message: FromCloud): Error | undefined {
    if (message.type === 'welcome') {
      this.sessions++;
      if (message.seq < this.acknowledged) {
        return new Error(`acknowledged ${this.acknowledged}, welcomed with ${message.seq}`);
      }
      this.#report(message.seq + 1);
    } else if (message.type === 'ack') {
      this.acknowledged = message.seq;
      this.#report(message.seq + 1);
    } else if (message.type === 'desire') {
      this.#stored = message.to;
      this.#say({ type: 'stored', rev: message.to });
    }
    return undefined;
  }

  #report(seq: number): void {
    const reported = { value: seq, at: seq, quality: 'good' } as const;
    const row = {
      kind: 'property',
      seq,
      device: 'default/boiler-1',
      property: 'temperature',
    } as const;
    this.#say({ type: 'report', to: seq, rows: [{ ...row, reported }] });
  }

  #say(message: FromEdge): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}
