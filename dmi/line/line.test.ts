import assert from 'node:assert/strict';
import { type Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'node:test';
import { fakeClock, fakeContext } from '../testing/index.ts';
import { Line } from './line.ts';
import type { LineOptions } from './wire.ts';

const never = new AbortController().signal;

/** A line to a device that the test plays itself. */
async function open(options: LineOptions = {}, address = 'tcp://device:1') {
  const clock = fakeClock();
  let device: Duplex | undefined;
  const said: string[] = [];
  const context = fakeContext({
    clock,
    wire: (wire) => {
      device = wire;
      wire.on('data', (chunk: Buffer) => void said.push(String(chunk)));
      wire.on('error', () => undefined);
    },
  });
  const line = await Line.open(address, context, options, never);
  assert.ok(device);
  const say = async (text: string | Buffer): Promise<void> => {
    device?.write(text);
    await turn();
    await turn();
  };
  return { line, clock, device, say, said };
}

/** What became of it, without waiting for it before it is asked. */
function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => value,
    (error: unknown) => (error as { code?: string }).code ?? (error as Error).message,
  );
}

test('an answer is the same at every split of its bytes', async () => {
  const bytes = Buffer.from('21.5 °C\r\n');
  for (let at = 0; at <= bytes.length; at++) {
    const { line, say, said } = await open({ end: '\r\n' });
    const answer = line.ask('T?', never);
    await turn();
    await say(bytes.subarray(0, at));
    await say(bytes.subarray(at));
    assert.equal(await answer, '21.5 °C', `split at ${at}`);
    assert.deepEqual(said, ['T?\r\n']);
    await line.close();
  }
});

test('questions that overlap wait for each other, and one that is given up leaves at once', async () => {
  const { line, say, said } = await open();
  const [first, second] = [line.ask('A?', never), new AbortController()];
  const given = outcome(line.ask('B?', second.signal));
  const third = line.ask('C?', never);
  second.abort(new Error('given up'));
  assert.equal(await given, 'given up');
  await say('1\n');
  assert.equal(await first, '1');
  await turn();
  await say('3\n');
  assert.equal(await third, '3');
  assert.deepEqual(said, ['A?\n', 'C?\n']);
});

test('silence is Unreachable after its deadline, and the late answer is nobody’s', async () => {
  const { line, clock, say, said } = await open({ timeoutMs: 300 });
  const first = outcome(line.ask('A?', never));
  await clock.advance(300);
  assert.equal(await first, 'LINE_TIMEOUT');
  const second = outcome(line.ask('B?', never));
  await clock.advance(150);
  await say('late A\n');
  await clock.advance(199);
  assert.deepEqual(said, ['A?\n'], 'nothing is sent before the wire was silent');
  await clock.advance(300);
  assert.deepEqual(said, ['A?\n', 'B?\n']);
  await say('b\n');
  await clock.advance(200);
  assert.equal(await second, 'b');
});

test('an answer with another one behind it is not taken while answers may be late', async () => {
  const { line, clock, say } = await open({}, 'serial:/dev/ttyS0');
  const first = outcome(line.ask('A?', never));
  await turn();
  await say('left over\n');
  await clock.advance(100);
  await say('a\n');
  await clock.advance(100);
  assert.equal(await first, 'LINE_LATE');
});

test('an abort ends a question at once, in whatever it waits for', async () => {
  for (const prepare of ['answer', 'silence', 'pause', 'proof'] as const) {
    const pauseMs = prepare === 'pause' ? 1000 : 0;
    const { line, say } = await open(
      { pauseMs },
      prepare === 'proof' ? 'serial:/dev/x' : 'tcp://x:1',
    );
    if (prepare === 'silence') await say('unasked\n');
    const abort = new AbortController();
    const asked = outcome(line.ask('A?', abort.signal));
    await turn();
    if (prepare === 'proof') await say('a\n');
    abort.abort(new Error('enough'));
    assert.equal(await asked, 'enough', prepare);
  }
});

test('what is no answer cuts the wire, and the line stays lost', async () => {
  const cases: readonly [string | Buffer, string][] = [
    [Buffer.from([0xff, 0x31, 0x0a]), 'LINE_NOT_TEXT'],
    ['1\n2\n', 'LINE_EXTRA'],
    ['1\n2', 'LINE_EXTRA'],
    ['x'.repeat(33), 'LINE_LONG'],
    [`${'x'.repeat(33)}\n`, 'LINE_LONG'],
  ];
  for (const [bytes, code] of cases) {
    const { line, say, device } = await open({ maxBytes: 32 });
    const asked = outcome(line.ask('A?', never));
    await turn();
    await say(bytes);
    assert.equal(await asked, code);
    assert.equal(await outcome(line.ask('B?', never)), code);
    await turn();
    assert.ok(device.destroyed || device.readableEnded, 'the wire is cut');
  }
});

test('a device that hangs up is Unreachable, asked or not', async () => {
  for (const asked of [true, false]) {
    const { line, device } = await open();
    const answer = asked ? outcome(line.ask('A?', never)) : undefined;
    await turn();
    device.end();
    await turn();
    assert.equal(await (answer ?? outcome(line.ask('A?', never))), 'LINE_CLOSED');
  }
});

test('a value is sent as it is in one line, or not at all', async () => {
  const cases: readonly [LineOptions, string][] = [
    [{}, 'NAME a\n*RST'],
    [{ end: ';' }, 'NAME a;*RST'],
    // Its lowest byte is a line feed.
    [{ encoding: 'latin1' }, 'NAME a\u010a*RST'],
    [{}, 'NAME \ud800'],
  ];
  for (const [options, text] of cases) {
    const { line, said } = await open(options);
    assert.equal(await outcome(line.tell(text, never)), 'LINE_VALUE', text);
    assert.deepEqual(said, []);
    await line.tell('NAME b', never);
    await turn();
    assert.deepEqual(said, [`NAME b${options.end ?? '\n'}`], 'the wire is as good as before');
  }
});

test('a device that refuses is Refused, and answers the next question', async () => {
  const { line, say } = await open({ refused: 'ERR' });
  const asked = outcome(line.ask('A?', never));
  await turn();
  await say('ERR -113\n');
  assert.equal(await asked, 'LINE_REFUSED');
  const next = line.ask('B?', never);
  await turn();
  await say('5\n');
  assert.equal(await next, '5');
});

test('a device that never stops talking, or takes nothing, is not waited for without end', async () => {
  const { line, clock, say } = await open();
  await say('noise');
  const asked = outcome(line.ask('A?', never));
  for (let each = 0; each < 6; each++) {
    await clock.advance(150);
    await say('noise');
    await clock.advance(50);
  }
  assert.equal(await asked, 'LINE_NOISE');
  const stuck = await open();
  stuck.device.pause();
  let last: unknown;
  for (let each = 0; each < 100; each++)
    last = await outcome(stuck.line.tell('x'.repeat(4096), never));
  assert.equal(last, 'LINE_STUCK');
});

test('a device that talks by itself is heard from its first whole line, and noise is passed over', async () => {
  const { line, clock, say } = await open(
    { isAnswer: () => false, maxBytes: 40 },
    'serial:/dev/gps',
  );
  const heard: string[] = [];
  const stop = line.heard((text) => void heard.push(text));
  await say('half a line,1\n$GPA,1\n');
  await say(Buffer.from([0xff, 0xfe, 0x0a]));
  await say('y'.repeat(50));
  await say('yyy\n$GPB,2\n');
  assert.deepEqual(heard, ['$GPA,1', '$GPB,2']);
  const next = line.next((text) => (text.startsWith('$GPC') ? text : undefined), never);
  await say('$GPA,3\n$GPC,4\n');
  assert.equal(await next, '$GPC,4');
  stop();
  const missing = outcome(line.next(() => undefined, never));
  await clock.advance(1000);
  assert.equal(await missing, 'LINE_TIMEOUT');
  assert.equal(heard.length, 4);
  const abort = new AbortController();
  const given = outcome(line.next(() => undefined, abort.signal));
  abort.abort(new Error('enough'));
  assert.equal(await given, 'enough');
  assert.equal(clock.pending, 0);
});

test('answers and what is told by itself are kept apart', async () => {
  const { line, say } = await open({ isAnswer: (text) => text.startsWith('=') });
  const heard: string[] = [];
  line.heard((text) => void heard.push(text));
  const asked = line.ask('A?', never);
  await turn();
  await say('event 1\n=5\nevent 2\n');
  assert.equal(await asked, '=5');
  assert.deepEqual(heard, ['event 1', 'event 2']);
});

test('a dial that hangs ends after five seconds', async () => {
  const clock = fakeClock();
  const dial = (_: string, signal: AbortSignal): Promise<Duplex> =>
    clock.sleep(60_000, signal).then(() => assert.fail());
  const opened = outcome(Line.open('tcp://x:1', { clock, dial }, {}, never));
  await clock.advance(5000);
  assert.equal(await opened, 'LINE_TIMEOUT');
  assert.equal(clock.pending, 0);
});
