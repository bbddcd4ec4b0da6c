/** What the core has of a mapper's process: both planes, and what is under way on them. */
import { type Clock, type Log, type Unreachable } from '@limpet/dmi';
import { type Duplex } from 'node:stream';
import { Calls } from './calls.ts';
import { Channel } from './channel.ts';
import { fieldsOf, type Ready, readyOf } from './checks.ts';
import { FrameError } from './frame.ts';
import { WIRE_VERSION } from './messages.ts';
import { Pushes } from './pushes.ts';

export interface LinkOptions {
  readonly protocol: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly management: Duplex;
  readonly data: Duplex;
  /** The first that it says: what its mapper has, or why there is none. */
  readonly ready: (said: Ready | readonly string[]) => void;
  /** A plane was closed, with an error when the process said something that it may not. */
  readonly closed: (error: Error | undefined) => void;
}

export class Link {
  readonly clock: Clock;
  readonly calls: Calls;
  readonly management: Channel;
  readonly data: Channel;
  readonly pushes: Pushes;
  readonly #ready: LinkOptions['ready'];
  #begun = false;

  constructor({ protocol, clock, log, management, data, ready, closed }: LinkOptions) {
    this.clock = clock;
    this.#ready = ready;
    this.calls = new Calls(protocol);
    this.pushes = new Pushes({ clock, log, grant: () => this.data.send({ t: 'credit' }) });
    const receive = (message: unknown): void => this.#manage(message);
    this.management = new Channel({ stream: management, receive, closed });
    this.data = new Channel({ stream: data, receive: (message) => this.#take(message), closed });
  }

  /** The process is gone: everything under way fails with `error`. */
  end(error: Unreachable): void {
    this.calls.end(error);
    this.pushes.end(error);
    this.management.close();
    this.data.close();
  }

  #manage(message: unknown): void {
    if (this.#begun) this.calls.receive(this.management, message);
    else {
      this.#begun = true;
      this.#ready(readyOf(message, WIRE_VERSION));
    }
  }

  #take(message: unknown): void {
    const fields = fieldsOf(message);
    if (fields['t'] === 'push') this.pushes.receive(fields);
    else this.calls.receive(this.data, message);
  }
}

/** Whether a message was too large to be sent, so that it should be sent in pieces. */
export function isTooLarge(error: unknown): boolean {
  return error instanceof FrameError && error.code === 'FRAME_TOO_LARGE';
}
