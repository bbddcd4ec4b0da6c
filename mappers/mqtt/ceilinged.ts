/** A broker's byte stream with a {@link Ceiling} on what comes: what the library of MQTT is given. */
import { Duplex } from 'node:stream';
import type { Ceiling } from './ceiling.ts';

/** Takes over `wire`; what breaks the ceiling's rules ends the stream with that error. */
export function ceilinged(wire: Duplex, ceiling: Ceiling): Duplex {
  const stream = new Duplex({
    read: () => void wire.resume(),
    write: (chunk: Buffer, _, done) => send(wire, chunk, done),
    // The library writes a packet in many small pieces.
    writev: (pieces, done) =>
      send(wire, Buffer.concat(pieces.map(({ chunk }) => chunk as Buffer)), done),
    final: (done) => {
      wire.end();
      done();
    },
    destroy: (error, done) => {
      wire.destroy();
      done(error);
    },
  });
  const taken = (chunk: Buffer): readonly Buffer[] => {
    try {
      return ceiling.take(chunk);
    } catch (error) {
      stream.destroy(error as Error);
      return [];
    }
  };
  wire.on('data', (chunk: Buffer) => {
    for (const part of taken(chunk)) if (!stream.push(part)) wire.pause();
  });
  wire.on('end', () => stream.push(null));
  wire.on('error', (error) => stream.destroy(error));
  // What came before its end is still to be read.
  wire.on('close', () => wire.readableEnded || stream.destroy());
  if (wire.destroyed) stream.destroy();
  return stream;
}

function send(wire: Duplex, bytes: Buffer, done: () => void): void {
  if (wire.write(bytes)) done();
  else wire.once('drain', done);
}
