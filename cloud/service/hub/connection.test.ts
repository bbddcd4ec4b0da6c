import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { silent } from '../testing.ts';
import { Connection, type ConnectionOptions } from './connection.ts';

test('an edge is asked whether it lives when it said nothing, and told that the cloud does while it is not read', () => {
  let beat: () => void = () => undefined;
  let pings = 0;
  const webSocket = Object.assign(new EventEmitter(), {
    isPaused: false,
    ping: () => void (pings += 1),
    terminate: () => assert.fail('it lives'),
  });
  const nothing = (): void => undefined;
  const options = {
    webSocket,
    socket: new EventEmitter(),
    session: { live: () => true },
    clock: { after: (_: number, task: () => void) => ((beat = task), nothing) },
    intake: { join: nothing, took: nothing, gave: nothing, leave: nothing },
    heartbeatMs: 1000,
    log: silent,
    closed: nothing,
  };
  const connection = new Connection(options as unknown as ConnectionOptions);
  assert.equal(connection.node, undefined);
  const beats = (): number => {
    pings = 0;
    beat();
    return pings;
  };
  assert.equal(beats(), 0, 'it was heard just now');
  assert.equal(beats(), 1, 'it was not');
  webSocket.emit('ping');
  assert.equal(beats(), 0);
  webSocket.emit('ping');
  webSocket.isPaused = true;
  for (let i = 0; i < 4; i++) assert.equal(beats(), 1, 'its own pings get no answer');
});
