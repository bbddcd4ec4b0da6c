/** The stream that the runtime dials, as node-opcua's transport wants a socket; and that transport. */
import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { DmiError, Garbled } from '@limpet/dmi';
import {
  ClientTransportBase,
  type ISocketLike,
  type TransportSettingsOptions,
} from 'node-opcua-transport';
import { ChunkSizes } from './chunks.ts';

/** What one message may take; the server may set less. */
const LIMITS = {
  maxChunkCount: 512,
  maxMessageSize: 8 * 1024 * 1024,
  receiveBufferSize: 64 * 1024,
  sendBufferSize: 64 * 1024,
} satisfies TransportSettingsOptions;

/**
 * What the library throws while it takes bytes apart must not end this process: the stream is cut instead, and the
 * error is kept for whoever asks why.
 */
export class Wire extends EventEmitter {
  readonly #stream: Duplex;
  /** What the peer did wrong. */
  fault: Error | undefined;

  constructor(stream: Duplex) {
    super();
    this.#stream = stream;
    const sizes = new ChunkSizes({
      chunkBytes: LIMITS.receiveBufferSize,
      messageBytes: LIMITS.maxMessageSize,
      chunks: LIMITS.maxChunkCount,
    });
    stream.on('data', (bytes: Buffer) =>
      this.#guarded(() => {
        // The library takes intermediate chunks for as long as they come, whatever was agreed.
        sizes.see(bytes);
        this.emit('data', bytes);
      }),
    );
    stream.on('end', () => this.#guarded(() => this.emit('end')));
    stream.on('error', (error: Error) => {
      this.fault ??= error;
      if (this.listenerCount('error') > 0) this.#guarded(() => this.emit('error', error));
    });
    stream.on('close', () => this.#guarded(() => this.emit('close', this.fault !== undefined)));
  }

  get destroyed(): boolean {
    return this.#stream.destroyed;
  }

  write(bytes: Buffer | string, written?: (error?: Error | null) => undefined): void {
    if (this.#stream.writable) this.#stream.write(bytes, written);
    else written?.(new Error('the stream is closed'));
  }

  end(): void {
    this.#stream.end();
  }

  /** The library's reason is not passed on: nobody listens there for it. */
  destroy(): void {
    this.#stream.destroy();
  }

  // Times are kept by this mapper's own clock, and the runtime's stream sets its own options.
  setTimeout(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }

  #guarded(pass: () => void): void {
    try {
      pass();
    } catch (error) {
      this.fault ??=
        error instanceof DmiError
          ? error
          : new Garbled('OPCUA_GARBLED', 'the server sent what is no OPC UA', { cause: error });
      this.#stream.destroy();
    }
  }
}

/** A transport over a wire that is open already. */
export class WireTransport extends ClientTransportBase {
  readonly #wire: Wire;

  constructor(wire: Wire) {
    super(LIMITS);
    this.#wire = wire;
  }

  override connect(endpointUrl: string, done: (error?: Error) => void): void {
    this.endpointUrl = endpointUrl;
    this._install_socket(this.#wire as unknown as ISocketLike);
    this._perform_HEL_ACK_transaction((error) => {
      if (!error) this._install_post_connect_error_handler(endpointUrl);
      done(error ?? undefined);
    });
  }
}
