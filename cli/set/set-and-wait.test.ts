import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Desired, Device, Stages, Verdict } from '@limpet/dmi/manifest';
import type { Api } from '../api.ts';
import { setAndWait } from './set-and-wait.ts';

const AT = '2026-11-21T10:00:00.000Z';
const ORDER = { namespace: 'default', name: 'boiler-1', property: 'setpoint', value: 60 };
const WAITING = { wait: 'confirmed', timeoutMs: 5000 } as const;
const ACCEPTED = { accepted: AT };
const CONFIRMED = { accepted: AT, stored: AT, sent: AT, confirmed: AT };

test('an order that gets to its stage resolves, telling each sight of it', async () => {
  const server = new OneDevice();
  const seen: Verdict[] = [];
  const outcome = setAndWait(server, ORDER, {
    ...WAITING,
    seen: ({ verdict }) => seen.push(verdict),
  });
  await server.patched;
  server.show(desired(10, 'applied', CONFIRMED));
  assert.equal((await outcome).kind, 'reached');
  assert.deepEqual(seen, ['pending', 'applied']);
});

test('a watch that is ahead of the answer is not taken back by it', async () => {
  const server = new OneDevice();
  server.answerLate = true;
  const outcome = setAndWait(server, ORDER, WAITING);
  await server.patched;
  server.show(desired(10, 'applied', CONFIRMED));
  await settled();
  server.answer();
  assert.equal((await outcome).kind, 'reached');
});

test('rejected, superseded and deleted are told apart', async () => {
  const cases = [
    [desired(10, 'rejected', CONFIRMED), 'refused'],
    [desired(12, 'pending', ACCEPTED), 'superseded'],
    [undefined, 'deleted'],
  ] as const;
  for (const [twin, kind] of cases) {
    const server = new OneDevice();
    const outcome = setAndWait(server, ORDER, WAITING);
    await server.patched;
    server.show(twin);
    assert.equal((await outcome).kind, kind);
  }
});

test('an order that goes nowhere is late, and shows the device as it was last', async () => {
  const server = new OneDevice();
  const outcome = await setAndWait(server, ORDER, { wait: 'confirmed', timeoutMs: 30 });
  assert.equal(outcome.kind === 'late' && outcome.device.metadata.name, 'boiler-1');
});

test('accepted needs no watch, and null withdraws', async () => {
  const server = new OneDevice();
  const outcome = await setAndWait(server, ORDER, { wait: 'accepted', timeoutMs: 5000 });
  assert.equal(outcome.kind, 'reached');
  assert.equal(server.watches, 0);
  const withdrawn = await setAndWait(new OneDevice(), { ...ORDER, value: null }, WAITING);
  assert.equal(withdrawn.kind, 'withdrawn');
});

/** A server of one device whose twin the test moves by hand. */
class OneDevice implements Pick<Api, 'list' | 'patch' | 'watch'> {
  readonly #patched = Promise.withResolvers<void>();
  readonly #answer = Promise.withResolvers<void>();
  readonly #news: (Device | 'deleted')[] = [];
  #wake = Promise.withResolvers<void>();
  #twin: Desired | undefined;
  answerLate = false;
  watches = 0;

  /** The order is here. */
  get patched(): Promise<void> {
    return this.#patched.promise;
  }

  answer(): void {
    this.#answer.resolve();
  }

  show(twin: Desired | undefined): void {
    this.#twin = twin;
    this.#news.push(twin === undefined ? 'deleted' : device(twin));
    this.#wake.resolve();
  }

  async list(): Promise<{ items: Device[]; resourceVersion: string }> {
    return { items: [device(this.#twin)], resourceVersion: '1' };
  }

  async patch(): Promise<Device> {
    const taken = device(desired(10, 'pending', ACCEPTED));
    this.#twin = taken.status?.twin['setpoint']?.desired;
    this.#patched.resolve();
    if (this.answerLate) await this.#answer.promise;
    return taken;
  }

  async *watch(
    _kind: unknown,
    _select: unknown,
    signal?: AbortSignal,
  ): AsyncGenerator<{ type: 'MODIFIED' | 'DELETED'; object: Device }, void, void> {
    this.watches += 1;
    const ended = new Promise<void>((resolve) => {
      signal?.addEventListener('abort', () => resolve(), { once: true });
    });
    while (signal?.aborted !== true) {
      for (const news of this.#news.splice(0)) {
        if (news === 'deleted') yield { type: 'DELETED', object: device(undefined) };
        else yield { type: 'MODIFIED', object: news };
      }
      await Promise.race([this.#wake.promise, ended]);
      this.#wake = Promise.withResolvers<void>();
    }
  }
}

function desired(rev: number, verdict: Verdict, stages: Stages): Desired {
  return { value: 60, rev, verdict, stages };
}

function device(twin: Desired | undefined): Device {
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'Device',
    metadata: { name: 'boiler-1', namespace: 'default', resourceVersion: '1' },
    spec: { model: 'boiler', node: 'gateway-1', settings: {} },
    status: { state: 'online', twin: twin === undefined ? {} : { setpoint: { desired: twin } } },
  };
}

/** Lets everything that can run now run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
