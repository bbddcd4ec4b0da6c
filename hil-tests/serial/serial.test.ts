import { type DmiError } from '@limpet/dmi';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { type Duplex } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { openPseudoTerminal, type PseudoTerminal } from '../plant/pseudo-terminal.ts';
import { systemClock } from '../../runtime/kernel/clock.ts';
import { parseAddress } from '../../runtime/device/address.ts';
import { openStream } from '../../runtime/device/open.ts';
import { Ports } from '../../runtime/device/ports.ts';

const NEVER = new AbortController().signal;
/** Each takes well under a second. */
const BOUND = { timeout: 20_000 };
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

/** Another name of the line that is gone when it is taken away: the system gives the number of a terminal again. */
function linkTo(path: string, t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'limpet-serial-'));
  t.after(() => rmSync(folder, { recursive: true }));
  symlinkSync(path, join(folder, 'line'));
  return join(folder, 'line');
}

/** The share of one core that this process takes. */
async function load(ms: number): Promise<number> {
  const before = process.cpuUsage();
  await setTimeout(ms);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / ms;
}

test('serial: bytes go both ways over a real terminal', BOUND, async (t) => {
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

test(
  'serial: the last device that leaves closes the line, and the next one opens it at once',
  BOUND,
  async (t) => {
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
  },
);

test(
  'serial: a line that is pulled out is PORT_LOST for all, is closed, and costs no time',
  BOUND,
  async (t) => {
    const pty = await terminal(t);
    if (pty === undefined) return;
    const link = linkTo(pty.path, t);
    const { a, b, dial } = line(link);
    const parts = [await dial(a), await dial(b)];
    const lost = parts.map((part) => once(part, 'error') as Promise<[DmiError]>);
    pty.close();
    for (const [error] of await Promise.all(lost)) assert.equal(error.code, 'PORT_LOST');
    assert.ok((await load(500)) < 0.3);
    assert.equal(holds(pty.path) + holds(`${pty.path} (deleted)`), 0);
    unlinkSync(link);
    await assert.rejects(dial(a), { name: 'Unreachable', code: 'PORT_NOT_FOUND' });
  },
);

test(
  'serial: a line that is pulled out while nobody waits for bytes ends at the next read, and is not read for ever',
  BOUND,
  async (t) => {
    const pty = await terminal(t);
    if (pty === undefined) return;
    const address = parseAddress(`serial:${pty.path}?baud=19200&parity=none`);
    const stream = await openStream(address, NEVER);
    t.after(() => stream.destroy());
    pty.close();
    while (existsSync(pty.path)) await setTimeout(5);
    const closed = once(stream, 'close');
    stream.resume();
    await closed;
    assert.ok((await load(200)) < 0.5);
  },
);

test(
  'serial: a line that another process is about to give up is waited for, and one in use is not for long',
  BOUND,
  async (t) => {
    const pty = await terminal(t);
    if (pty === undefined) return;
    const [old, next] = [line(pty.path), line(pty.path)];
    const part = await old.dial(old.a);
    const refused = {
      name: 'Unreachable',
      code: 'PORT_OPEN',
      message: /is another program using it/,
    };
    const start = performance.now();
    await assert.rejects(next.dial(next.a), refused);
    assert.ok(performance.now() - start < 5_000);
    const dialled = next.dial(next.a);
    await setTimeout(200);
    part.end();
    (await dialled).destroy();
  },
);

test('serial: a character device that is no terminal is PORT_OPEN', BOUND, async () => {
  const seat = new Ports({ clock: systemClock }).join(undefined, 'default/a');
  await assert.rejects(seat.dial('serial:/dev/null', NEVER), {
    name: 'Unreachable',
    code: 'PORT_OPEN',
    message: /cannot open serial path \/dev\/null/,
  });
});
