/** The library's store of incoming QoS 2 messages: each is told as it comes, so that only its number is kept. */
import { Readable } from 'node:stream';
import type { IPublishPacket, IStore } from 'mqtt';

/** Numbers of QoS 2 messages that the broker has not released. */
const MAX_UNRELEASED = 1_000;
const NOTHING = Buffer.alloc(0);

/** `take` is called once for each message, and calls back when it may be acknowledged. */
export function unreleased(
  take: (packet: IPublishPacket, done: () => void) => void,
  full: () => void,
): IStore {
  const numbers = new Set<number>();
  const store: IStore = {
    put(packet, done) {
      const { messageId = 0 } = packet;
      if (numbers.has(messageId)) done();
      else if (numbers.size >= MAX_UNRELEASED) full();
      else {
        numbers.add(messageId);
        take(packet as IPublishPacket, done);
      }
      return store;
    },
    get({ messageId = 0 }, done) {
      if (!numbers.has(messageId)) done(new Error('released already'));
      else {
        const told = { topic: '', payload: NOTHING, qos: 2, retain: false, dup: false } as const;
        done(undefined, { cmd: 'publish', messageId, ...told });
      }
      return store;
    },
    del({ messageId = 0 }, done) {
      numbers.delete(messageId);
      done();
      return store;
    },
    createStream: () => Readable.from([]) as ReturnType<IStore['createStream']>,
    close(done) {
      numbers.clear();
      done();
    },
  };
  return store;
}
