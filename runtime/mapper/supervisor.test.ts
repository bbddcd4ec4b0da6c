import { Unreachable } from '@limpet/dmi';
import { fakeClock, silentLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GOOD_CONDUCT } from './conduct.ts';
import { type Exit } from './exit-reason.ts';
import { type Edition, type Hosted } from './hosted.ts';
import { Supervisor } from './supervisor.ts';

/** Supervises processes that answer their health checks by `health`. */
function supervised(health: Hosted['health']) {
  const clock = fakeClock();
  const start = (): Hosted => {
    const exit = Promise.withResolvers<Exit>();
    const gone = (signal: string): void => exit.resolve({ code: null, signal, lines: [] });
    return {
      pid: 7,
      mapper: {} as Hosted['mapper'],
      superseded: 0,
      exited: exit.promise,
      lines: () => [],
      kill: () => gone('SIGKILL'),
      stop: () => Promise.resolve(gone('SIGTERM')),
      health,
    };
  };
  const edition: Edition = {
    version: '1.0.0',
    budgetBytes: 2 ** 24,
    importance: 50,
    launch(spawned) {
      const hosted = start();
      spawned(hosted);
      return Promise.resolve(hosted);
    },
  };
  const log = silentLog();
  const options = { protocol: 'knock', edition, clock, log, random: () => 0 };
  return { clock, supervisor: new Supervisor({ ...options, replaced: () => undefined }) };
}

test('a process that has too much to do to be asked is killed no sooner than one that does not answer', async () => {
  let busy = true;
  const { clock, supervisor } = supervised(() =>
    busy
      ? Promise.reject(new Unreachable('MAPPER_BUSY', '2 MiB wait for it'))
      : Promise.resolve(GOOD_CONDUCT),
  );
  await supervisor.ready();
  await clock.advance(4_000);
  assert.equal(supervisor.status().state, 'ready');
  busy = false;
  await clock.advance(20_000);
  assert.equal(supervisor.status().state, 'ready');
  busy = true;
  await clock.advance(8_000);
  assert.equal(supervisor.status().restarts, 1);
  assert.equal(supervisor.status().reason?.code, 'MAPPER_UNRESPONSIVE');
  await supervisor.stop();
});
