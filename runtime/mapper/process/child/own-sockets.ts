/**
 * The sockets that libraries of a mapper opened by themselves, so that what goes over them can be recorded too. Which of
 * them is which device's nobody knows here: a recording has those of the whole process.
 */
import { type Clock } from '@limpet/dmi';
import { type CapturedEvent, type CapturePage } from '@limpet/dmi/manifest';
import { subscribe } from 'node:diagnostics_channel';
import { type Socket } from 'node:net';
import { type Duplex } from 'node:stream';
import { Taps } from '../../../device/taps.ts';

/** Node tells here of every socket that is connected to somewhere. */
const OPENED = 'net.client.socket';
/** All of them are recorded as one. */
const ANY = '';

/** What a stream calls with what goes out. */
interface Writing {
  _write(chunk: Uint8Array | string, encoding: BufferEncoding, done: () => void): void;
  _writev?: ((chunks: readonly { chunk: Uint8Array | string }[], done: () => void) => void) | null;
}

export class OwnSockets {
  readonly #taps: Taps;
  readonly #open = new Set<Socket>();
  readonly #tapped = new WeakSet<Socket>();
  readonly #dialled = new WeakSet<Duplex>();
  #recording = false;

  constructor(clock: Clock) {
    this.#taps = new Taps(clock);
    // The channel keeps no reference by itself.
    subscribe(OPENED, (message) => this.#opened((message as { socket: Socket }).socket));
  }

  /** This one is a wire of ours, and recorded as such. */
  dialled(stream: Duplex): void {
    this.#dialled.add(stream);
    this.#open.delete(stream as Socket);
  }

  /** @throws Refused CAPTURE_BUSY */
  page(capture: string): CapturePage {
    const page = this.#taps.page(ANY, capture, this.#open.size);
    this.#recording = true;
    for (const socket of this.#open) this.#tap(socket);
    return page;
  }

  #opened(socket: Socket): void {
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    if (this.#recording) this.#tap(socket);
  }

  /** Nothing but a call more from then on: where nobody records, the taps note nothing. */
  #tap(socket: Socket): void {
    if (this.#tapped.has(socket)) return;
    this.#tapped.add(socket);
    const note = this.#noting(socket);
    const push = socket.push.bind(socket);
    socket.push = (chunk: Uint8Array | null, encoding) => {
      if (chunk !== null) note('in', chunk);
      return push(chunk, encoding);
    };
    const writing = socket as unknown as Writing;
    const write = writing._write.bind(socket);
    writing._write = (chunk, encoding, done) => {
      note('out', bytesOf(chunk));
      write(chunk, encoding, done);
    };
    const writev = writing._writev?.bind(socket);
    if (writev !== undefined) {
      writing._writev = (chunks, done) => {
        for (const { chunk } of chunks) note('out', bytesOf(chunk));
        writev(chunks, done);
      };
    }
    socket.once('close', () => note('close', ''));
  }

  /** In order, and from when it is known whether the socket is one of ours: that is once it is connected. */
  #noting(socket: Socket): (kind: CapturedEvent['kind'], what: Uint8Array | string) => void {
    let held: (() => void)[] | undefined = socket.pending ? [] : undefined;
    const note = (kind: CapturedEvent['kind'], what: Uint8Array | string): void => {
      if (held !== undefined) held.push(() => note(kind, what));
      else if (!this.#dialled.has(socket)) this.#taps.note(ANY, kind, what);
    };
    const open = (): void => {
      const { remoteAddress = '?', remotePort = '?' } = socket;
      const early = held ?? [];
      held = undefined;
      note('open', `tcp://${remoteAddress}:${remotePort}, opened by the mapper's library`);
      for (const each of early) each();
    };
    if (held === undefined) open();
    else socket.once('connect', () => setImmediate(open));
    return note;
  }
}

function bytesOf(chunk: Uint8Array | string): Uint8Array {
  return typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
}
