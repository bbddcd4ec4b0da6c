import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'node:test';
import { Wires } from './wires.ts';

const never = new AbortController().signal;

function plant() {
  const opened: Duplex[] = [];
  const wires = new Wires((address) => {
    assert.equal(address, 'tcp://device:1');
    const [near, far] = duplexPair();
    opened.push(far);
    return Promise.resolve(near);
  });
  const dial = (): Promise<Duplex> => wires.dial('tcp://device:1', never);
  return { wires, opened, dial };
}

async function said(stream: Duplex): Promise<string> {
  const [chunk] = (await once(stream, 'data')) as [Buffer];
  return String(chunk);
}

test('a stream that the old code gives back is what the new code gets', async () => {
  const { wires, opened, dial } = plant();
  const first = await dial();
  first.write('one');
  assert.equal(await said(opened[0] as Duplex), 'one');
  wires.hold();
  first.end();
  await turn();
  opened[0]?.write('an answer to the old code');
  const second = await dial();
  wires.release();
  assert.equal(opened.length, 1);
  second.write('two');
  assert.equal(await said(opened[0] as Duplex), 'two');
  const answered = said(second);
  opened[0]?.write('to the new');
  assert.equal(await answered, 'to the new');
});

test('what nobody takes up again is ended, and what was cut on purpose is not kept', async () => {
  const { wires, opened, dial } = plant();
  const first = await dial();
  wires.hold();
  first.end();
  await turn();
  const ended = once(opened[0] as Duplex, 'end');
  opened[0]?.resume();
  wires.release();
  await ended;
  const second = await dial();
  second.on('error', () => undefined);
  wires.hold();
  second.destroy(new Error('nonsense'));
  await turn();
  await turn();
  await dial();
  assert.equal(opened.length, 3);
});

test('a wire can be cut, silenced and garbled', async () => {
  const { wires, opened, dial } = plant();
  const near = await dial();
  wires.harm = 'silence';
  near.on('data', () => assert.fail('it heard something'));
  opened[0]?.write('lost');
  await turn();
  near.removeAllListeners('data');
  wires.harm = 'garble';
  const heard = said(near);
  opened[0]?.write('a longer answer than chance would repeat');
  assert.notEqual(await heard, 'a longer answer than chance would repeat');
  const broken = once(near, 'error');
  assert.equal(wires.cut(), 1);
  assert.equal(((await broken) as [NodeJS.ErrnoException])[0].code, 'ECONNRESET');
  await turn();
  assert.equal(wires.count, 0);
});
