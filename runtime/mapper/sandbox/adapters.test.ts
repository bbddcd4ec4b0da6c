import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guardAdapters, type Loader } from './adapters.ts';

/** An add-on with the class that all libraries use, as a loader gives it. */
function load(bluetooth: boolean | readonly string[]) {
  const bound: unknown[] = [];
  class BluetoothHciSocket {
    bindRaw(device?: number): void {
      bound.push(device);
    }
    bindUser(device?: number): void {
      bound.push(device);
    }
    bindControl(): void {
      bound.push('control');
    }
  }
  const loader: Loader = {
    dlopen: (module) => void Object.assign(module, { exports: { BluetoothHciSocket } }),
  };
  guardAdapters({ bluetooth }, loader);
  const module = {} as { exports: { BluetoothHciSocket: typeof BluetoothHciSocket } };
  loader.dlopen(module, '/somewhere/addon.node');
  return { bound, socket: new module.exports.BluetoothHciSocket() };
}

test('an adapter that is declared is opened, and no other', () => {
  const { bound, socket } = load(['hci1']);
  socket.bindRaw(1);
  for (const open of [
    () => socket.bindRaw(0),
    () => socket.bindRaw(),
    () => socket.bindControl(),
  ]) {
    assert.throws(open, { code: 'MAPPER_DENIED', message: /add it to "bluetooth"/ });
  }
  assert.deepEqual(bound, [1]);
});

test('with all declared all are opened, and with none none', () => {
  const all = load(true);
  all.socket.bindRaw(0);
  all.socket.bindRaw();
  assert.deepEqual(all.bound, [0, undefined]);
  const none = load(false);
  assert.throws(() => none.socket.bindRaw(0), { code: 'MAPPER_DENIED' });
});

test('other add-ons are left as they are', () => {
  const loader: Loader = { dlopen: (module) => void Object.assign(module, { exports: 7 }) };
  guardAdapters({ bluetooth: false }, loader);
  const module = {};
  loader.dlopen(module, 'x.node');
  assert.deepEqual(module, { exports: 7 });
});
