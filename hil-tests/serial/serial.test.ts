import { type DmiError } from '@limpet/dmi';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import process from 'node:process';
import { type Duplex } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { openPseudoTerminal, type PseudoTerminal } from '../plant/pseudo-terminal.ts';
import { systemClock } from '../../runtime/kernel/clock.ts';
import { Ports } from '../../runtime/device/ports.ts';

const NEVER = new AbortController().signal;
const poll = { rank: 'poll', signal: NEVER } as const;

/** Descriptors of this process that are open on `path`. */
function holds(path: string): number {
  const open = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return []; // the descriptor that listed the folder
    }
  });
  return open.filter((each) => each === path).length;
}

async function terminal(t: TestContext): Promise<PseudoTerminal | undefined> {
  const opened = await openPseudoTerminal();
  if (opened === undefined) t.skip('this machine gives no pseudo-terminal (script of util-linux)');
  else {
    // Its end is an abort to whoever still listens.
    opened.stream.on('error', () => undefined);
    t.after(() => opened.close());
  }
  return opened;
}

/** Two devices on the line, each with its part. */
function line(path: string) {
  const ports = new Ports({ clock: systemClock });
  const [a, b] = [ports.join('line', 'default/a'), ports.join('line', 'default/b')];
  const address = `serial:${path}?baud=19200&parity=none`;
  const dial = (seat: typeof a): Promise<Duplex> =>
    seat.turn(poll, () => seat.dial(address, NEVER));
  return { a, b, dial };
}

test('serial: bytes go both ways over a real terminal', async (t) => {
  const pty = await terminal(t);
  if (pty === undefined) return;
  const { a, dial } = line(pty.path);
  const part = await dial(a);
  t.after(() => part.destroy());
  await a.turn(poll, async () => {
    part.write('ask');
    const [asked] = (await once(pty.stream, 'data')) as [Buffer];
    assert.equal(String(asked), 'ask');
    pty.stream.write('answer');
    const [answered] = (await once(part, 'data')) as [Buffer];
    assert.equal(String(answered), 'answer');
  });
});

test('serial: the last device that leaves closes the line, and the next one opens it at once', async (t) => {
  const pty = await terminal(t);
  if (pty === undefined) return;
  const { a, b, dial } = line(pty.path);
  const [partA, partB] = [await dial(a), await dial(b)];
  assert.equal(holds(pty.path), 1);
  partA.end();
  await once(partA, 'close');
  assert.equal(holds(pty.path), 1, 'the other device is still there');
  partB.end();
  await once(partB, 'close');
  for (let times = 0; times < 3; times++) {
    const again = await dial(a);
    assert.equal(holds(pty.path), 1);
    again.destroy(new Error('noise'));
  }
  const last = await dial(b);
  b.leave();
  await once(last, 'close');
  for (let left = 100; holds(pty.path) > 0 && left > 0; left--) await setTimeout(10);
  assert.equal(holds(pty.path), 0);
});

test('serial: a line that is pulled out is PORT_LOST for all, is closed, and costs no time', async (t) => {
  const pty = await terminal(t);
  if (pty === undefined) return;
  const { a, b, dial } = line(pty.path);
  const parts = [await dial(a), await dial(b)];
  const lost = parts.map((part) => once(part, 'error') as Promise<[DmiError]>);
  pty.close();
  for (const [error] of await Promise.all(lost)) assert.equal(error.code, 'PORT_LOST');
  const before = process.cpuUsage();
  await setTimeout(500);
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 150_000, `${(user + system) / 1_000} ms of 500`);
  assert.equal(holds(pty.path) + holds(`${pty.path} (deleted)`), 0);
  await assert.rejects(dial(a), { name: 'Unreachable', code: 'PORT_NOT_FOUND' });
});

test('serial: a character device that is no terminal is PORT_OPEN', async () => {
  const seat = new Ports({ clock: systemClock }).join(undefined, 'default/a');
  await assert.rejects(seat.dial('serial:/dev/null', NEVER), {
    name: 'Unreachable',
    code: 'PORT_OPEN',
    message: /cannot open serial path \/dev\/null/,
  });
});
