import { type DmiError } from '@limpet/dmi';
import { fakeClock } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, statSync } from 'node:fs';
import process from 'node:process';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Ports } from './ports.ts';

const NEVER = new AbortController().signal;
const run = promisify(execFile);

function seat() {
  return new Ports({ clock: fakeClock() }).join(undefined, 'default/a');
}

test('a name that nobody knows is PORT_NO_NAME', async () => {
  await assert.rejects(seat().dial('tcp://gateway.invalid:502', NEVER), {
    name: 'Unreachable',
    code: 'PORT_NO_NAME',
    message: /tcp:\/\/gateway\.invalid:502: .*name/,
  });
});

test('an address that no route leads to is PORT_NO_ROUTE', async () => {
  // TCP goes to no group of hosts: Linux says ENETUNREACH whatever its routes are.
  await assert.rejects(seat().dial('tcp://224.0.0.1:502', NEVER), {
    name: 'Unreachable',
    code: 'PORT_NO_ROUTE',
    message: /tcp:\/\/224\.0\.0\.1:502: no route/,
  });
});

test('a device that takes nothing more is PORT_OVERFLOW, and its memory is bounded', async () => {
  const stuck = new Duplex({ read: () => undefined, write: () => undefined });
  const ports = new Ports({ clock: fakeClock(), open: () => Promise.resolve(stuck) });
  const part = await ports.join(undefined, 'default/a').dial('tcp://10.0.0.5:502', NEVER);
  const failed = once(part, 'error') as Promise<[DmiError]>;
  for (let written = 0; written < 64 && part.errored === null; written++) {
    part.write(Buffer.alloc(65_536));
    await setImmediate();
  }
  assert.equal((await failed)[0].code, 'PORT_OVERFLOW');
  assert.ok(stuck.writableLength <= 1_048_576 + 65_536, `${stuck.writableLength} bytes`);
});

/** Dials in a process of its own, and prints what came of it. */
const DIAL = `
const { openStream } = await import(process.env.MODULE);
const { parseAddress } = await import(process.env.ADDRESSES);
const { openSync } = await import('node:fs');
try {
  if (process.env.EXHAUST) for (;;) openSync('/dev/null');
} catch (error) {
  if (error.code !== 'EMFILE') throw error;
}
const never = new AbortController().signal;
const said = await openStream(parseAddress(process.env.DIAL), never).then(
  () => ({ code: 'opened' }),
  ({ name, code, message }) => ({ name, code, message }),
);
process.stdout.write(JSON.stringify(said));
process.exit(0);
`;

async function dialElsewhere(
  address: string,
  options: { readonly uid?: number; readonly descriptors?: number },
): Promise<{ name?: string; code: string; message?: string }> {
  const env = {
    ...process.env,
    MODULE: new URL('open.ts', import.meta.url).href,
    ADDRESSES: new URL('address.ts', import.meta.url).href,
    DIAL: address,
    EXHAUST: options.descriptors === undefined ? '' : '1',
  };
  const limit = options.descriptors === undefined ? '' : `ulimit -n ${options.descriptors}; `;
  const { stdout } = await run(
    '/bin/sh',
    [
      '-c',
      `${limit}exec "$0" --conditions=source --input-type=module --eval "$1"`,
      process.execPath,
      DIAL,
    ],
    {
      env,
      cwd: '/',
      timeout: 20_000,
      ...(options.uid !== undefined && { uid: options.uid, gid: options.uid }),
    },
  );
  return JSON.parse(stdout) as { code: string };
}

test('no descriptors left is PORT_LIMIT, with what to raise', async () => {
  const said = await dialElsewhere('tcp://127.0.0.1:9', { descriptors: 64 });
  assert.deepEqual([said.name, said.code], ['Unreachable', 'PORT_LIMIT']);
  assert.match(said.message ?? '', /ulimit -n/);
});

const NOBODY = 65_534;

/** A character device that only its owner and group may open. */
function guarded(): string | undefined {
  return ['/dev/console', '/dev/tty0', '/dev/ttyS0', '/dev/mem'].find((path) => {
    const found = statSync(path, { throwIfNoEntry: false });
    return found?.isCharacterDevice() === true && (found.mode & 0o006) === 0;
  });
}

test('a line without the right to it is PORT_PERMISSION, with the group to join', async (t) => {
  const path = guarded();
  if (path === undefined)
    return t.skip('this machine has no character device that is kept from others');
  const root = process.getuid?.() === 0;
  if (!root && mayOpen(path)) return t.skip(`this user may open ${path}`);
  let said;
  try {
    said = await dialElsewhere(`serial:${path}`, root ? { uid: NOBODY } : {});
  } catch (error) {
    // Somebody else cannot even read the sources here.
    if (root && /EACCES|Permission denied|permission/.test(String(error)))
      return t.skip(String(error));
    throw error;
  }
  assert.deepEqual([said.name, said.code], ['Unreachable', 'PORT_PERMISSION']);
  assert.match(said.message ?? '', /add the user of this process to the group \S+/);
});

function mayOpen(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false; // which is what the test needs
  }
}
