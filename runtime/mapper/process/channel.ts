/** One plane: messages both ways over a byte stream. */
import { type Duplex } from 'node:stream';
import { encodeFrame, FrameReader } from './frame.ts';

export interface ChannelOptions {
  readonly stream: Duplex;
  /** What it throws is wrong with the message, and ends the channel. */
  readonly receive: (message: unknown) => void;
  /** Called once: the other side is gone, or said something that is no message. */
  readonly closed: (error: Error | undefined) => void;
}

export class Channel {
  readonly #options: ChannelOptions;
  readonly #reader = new FrameReader();
  #open = true;

  constructor(options: ChannelOptions) {
    this.#options = options;
    const { stream } = options;
    stream.on('data', (chunk: Buffer) => this.#take(chunk));
    stream.on('end', () => this.#close());
    stream.on('close', () => this.#close());
    // The other side died while something was on its way to it: it is closed, which is all there is to know.
    stream.on('error', () => this.#close());
  }

  /** Bytes that the other side has not taken yet. */
  get unsent(): number {
    return this.#options.stream.writableLength;
  }

  /** @throws FrameError FRAME_TOO_LARGE. On a closed channel nothing happens. */
  send(message: object): void {
    const frame = encodeFrame(message);
    if (this.#open) this.#options.stream.write(frame);
  }

  close(): void {
    this.#close();
  }

  #take(chunk: Buffer): void {
    try {
      for (const message of this.#reader.push(chunk)) {
        if (!this.#open) return;
        this.#options.receive(message);
      }
    } catch (error) {
      this.#close(error as Error);
    }
  }

  #close(error?: Error): void {
    if (!this.#open) return;
    this.#open = false;
    this.#options.stream.destroy();
    this.#options.closed(error);
  }
}
