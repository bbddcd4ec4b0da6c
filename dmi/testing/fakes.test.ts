import assert from 'node:assert/strict';
import test from 'node:test';
import { Unreachable } from '../errors.ts';
import { fakeClock } from './clock.ts';
import { fakeContext } from './context.ts';
import { recordingLog } from './log.ts';

const never = new AbortController().signal;

test('a fake clock runs what falls due in its order, and nothing else', async () => {
  const clock = fakeClock(1000);
  const ran: [string, number, number][] = [];
  const note = (name: string) => () => void ran.push([name, clock.monotonic(), clock.now()]);
  clock.after(20, note('late'));
  clock.after(10, note('early'));
  clock.after(10, note('early too'));
  clock.after(15, note('never'))();
  await clock.advance(19);
  assert.deepEqual(ran, [
    ['early', 10, 1010],
    ['early too', 10, 1010],
  ]);
  assert.equal(clock.pending, 1);
  await clock.advance(1);
  assert.deepEqual(ran.at(-1), ['late', 20, 1020]);
});

test('a sleeper can sleep again within one span', async () => {
  const clock = fakeClock();
  let turns = 0;
  const loop = async (): Promise<void> => {
    while (turns < 5) {
      await clock.sleep(10);
      turns++;
    }
  };
  const running = loop();
  await clock.advance(50);
  await running;
  assert.equal(turns, 5);
});

test('an aborted sleep rejects with the reason and leaves no timer', async () => {
  const clock = fakeClock();
  const abort = new AbortController();
  const sleeping = clock.sleep(10, abort.signal);
  abort.abort(new Error('enough'));
  await assert.rejects(sleeping, /enough/);
  await assert.rejects(clock.sleep(10, abort.signal), /enough/);
  assert.equal(clock.pending, 0);
});

test('the wall clock may jump without the monotonic one', async () => {
  const clock = fakeClock(1000);
  clock.jump(50);
  assert.deepEqual([clock.now(), clock.monotonic()], [50, 0]);
  await clock.advance(5);
  assert.deepEqual([clock.now(), clock.monotonic()], [55, 5]);
});

test('a recording log keeps lines with their fields, also of logs made from it', () => {
  const log = recordingLog();
  log.with({ device: 'd' }).warn('device lost', { code: 'X' });
  log.debug('frame');
  assert.deepEqual(log.lines, [
    { level: 'warn', message: 'device lost', fields: { device: 'd', code: 'X' } },
    { level: 'debug', message: 'frame', fields: {} },
  ]);
});

test('a fake context dials what it is given and nothing else', async () => {
  const context = fakeContext({
    wire: { 'tcp://a:1': (wire) => void wire.on('data', (chunk) => wire.write(chunk)) },
  });
  const wire = await context.dial('tcp://a:1', never);
  wire.write('hello');
  const [echo] = (await wire.take(1).toArray()) as Buffer[];
  assert.equal(echo?.toString(), 'hello');
  await assert.rejects(context.dial('tcp://b:1', never), Unreachable);
  await assert.rejects(context.dial('tcp://a:1', AbortSignal.abort()), { name: 'AbortError' });
  assert.deepEqual(context.dialled, ['tcp://a:1', 'tcp://b:1']);
  assert.ok(!('folder' in context), 'as inline');
  await assert.rejects(fakeContext().dial('tcp://a:1', never), Unreachable);
  assert.equal(fakeContext({ wire: {}, folder: '/var/x' }).folder, '/var/x');
});
