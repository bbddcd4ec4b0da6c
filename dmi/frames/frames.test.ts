import assert from 'node:assert/strict';
import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'node:test';
import { Garbled } from '../errors.ts';
import { fakeClock, fakeContext } from '../testing/index.ts';
import { answerFrames } from './answer.ts';
import { frameConnection } from './connection.ts';
import { type FrameOptions, Frames } from './frames.ts';

const never = new AbortController().signal;
/** A length, and so many bytes; 255 begins no frame. */
const length = (bytes: Buffer): number | undefined => {
  if (bytes[0] === 255) throw new Garbled('ODD', 'no frame begins so');
  return bytes[0] === undefined ? undefined : bytes[0] + 1;
};

/** A device that the test plays itself. */
async function open(options: Partial<FrameOptions> = {}, address = 'tcp://device:1') {
  const clock = fakeClock();
  const said: number[][] = [];
  let device: Duplex | undefined;
  const context = fakeContext({
    clock,
    wire: (wire) => {
      device = wire;
      wire.on('data', (chunk: Buffer) => void said.push([...chunk]));
      wire.on('error', () => undefined);
    },
  });
  const frames = await Frames.open(address, context, { length, ...options }, never);
  assert.ok(device);
  const say = async (...bytes: number[]): Promise<void> => {
    device?.write(Buffer.from(bytes));
    await turn();
    await turn();
  };
  return { frames, clock, say, said, device };
}

function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => (Buffer.isBuffer(value) ? [...value] : value),
    (error: unknown) => (error as { code?: string }).code ?? (error as Error).message,
  );
}

test('a frame is the same at every split of its bytes', async () => {
  const bytes = [3, 7, 8, 9];
  for (let at = 0; at <= bytes.length; at++) {
    const { frames, say, said } = await open();
    const answer = outcome(frames.ask(Buffer.of(1, 5), never));
    await turn();
    if (at > 0) await say(...bytes.slice(0, at));
    if (at < bytes.length) await say(...bytes.slice(at));
    assert.deepEqual(await answer, bytes, `split at ${at}`);
    assert.deepEqual(said, [[1, 5]]);
  }
});

test('what is no answer cuts the wire, and the conversation stays lost', async () => {
  const cases: readonly [number[], string][] = [
    [[255], 'ODD'],
    [[1, 2, 3], 'FRAME_EXTRA'],
    [[40], 'FRAME_LONG'],
  ];
  for (const [bytes, code] of cases) {
    const { frames, say } = await open({ maxBytes: 32 });
    const asked = outcome(frames.ask(Buffer.of(0), never));
    await turn();
    await say(...bytes);
    assert.equal(await asked, code);
    assert.equal(await outcome(frames.ask(Buffer.of(0), never)), code);
  }
});

test('a pretend device answers a frame after bytes that begin none', async () => {
  const [device, wire] = duplexPair();
  answerFrames(device, { length }, (frame) => frame);
  wire.write(Buffer.of(255, 255, 1));
  await turn();
  wire.write(Buffer.of(1, 5));
  await turn();
  await turn();
  assert.deepEqual(wire.read(), Buffer.of(1, 5));
});

test('a late answer is nobody’s: the wire must be silent before the next question', async () => {
  const { frames, clock, say, said } = await open({ timeoutMs: 300 });
  const first = outcome(frames.ask(Buffer.of(1, 1), never));
  await clock.advance(300);
  assert.equal(await first, 'FRAME_TIMEOUT');
  const second = outcome(frames.ask(Buffer.of(1, 2), never));
  await clock.advance(150);
  await say(1, 1);
  await clock.advance(199);
  assert.equal(said.length, 1);
  await clock.advance(300);
  await say(1, 2);
  assert.deepEqual(await second, [1, 2]);
});

test('an abort ends a question at once, and a serial line is listened to first', async () => {
  for (const address of ['tcp://x:1', 'serial:/dev/x']) {
    const { frames, said } = await open({}, address);
    const abort = new AbortController();
    const asked = outcome(frames.ask(Buffer.of(0), abort.signal));
    await turn();
    assert.equal(said.length, address.startsWith('tcp') ? 1 : 0);
    abort.abort(new Error('enough'));
    assert.equal(await asked, 'enough');
  }
});

test('a device that hangs up, takes nothing or never stops is not waited for', async () => {
  const gone = await open();
  gone.device.end();
  await turn();
  assert.equal(await outcome(gone.frames.ask(Buffer.of(0), never)), 'FRAME_CLOSED');
  const stuck = await open();
  stuck.device.pause();
  let last: unknown;
  for (let each = 0; each < 100; each++)
    last = await outcome(stuck.frames.tell(Buffer.alloc(4096), never));
  assert.equal(last, 'FRAME_STUCK');
  const noisy = await open();
  await noisy.say(9);
  const asked = outcome(noisy.frames.ask(Buffer.of(0), never));
  for (let each = 0; each < 6; each++) {
    await noisy.clock.advance(150);
    await noisy.say(9);
    await noisy.clock.advance(50);
  }
  assert.equal(await asked, 'FRAME_NOISE');
});

test('an answer that makes no sense is the trouble of one property, and nothing is set that cannot be', async () => {
  const clock = fakeClock();
  const context = fakeContext({
    clock,
    wire: (wire) => answerFrames(wire, { length }, (frame) => (frame[1] === 9 ? undefined : frame)),
  });
  const frames = await Frames.open('tcp://x:1', context, { length }, never);
  const connection = frameConnection<number>(frames, {
    read: (visitor) => Buffer.of(1, visitor),
    value(visitor, answer) {
      if (visitor === 1) throw new Garbled('ODD', 'not that');
      return answer.readUInt8(1);
    },
  });
  const read = connection.read([1, 2], never);
  await clock.advance(500);
  const [first, second] = await read;
  assert.ok(first?.ok === false && first.error.code === 'ODD');
  assert.deepEqual(second, { ok: true, value: 2 });
  assert.equal(await outcome(connection.write(2, 5, never)), 'FRAME_READ_ONLY');
  await connection.close();
});
