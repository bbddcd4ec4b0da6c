import assert from 'node:assert/strict';
import { PassThrough, Writable } from 'node:stream';
import { test } from 'node:test';
import { systemClock } from './clock.ts';
import { createLog, type Level } from './log.ts';

const clock = { ...systemClock, now: () => Date.UTC(2026, 10, 21) };

function capture(level?: Level) {
  const out = new PassThrough();
  const log = createLog({ out, clock, ...(level && { level }) });
  const lines = (): Record<string, unknown>[] =>
    String(out.read() ?? '')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log, lines, out };
}

test('a line is time, level, message and fields', () => {
  const { log, lines } = capture();
  log.with({ device: 'default/boiler-1' }).warn('device lost', { attempts: 3 });
  assert.deepEqual(lines(), [
    {
      time: '2026-11-21T00:00:00.000Z',
      level: 'warn',
      message: 'device lost',
      device: 'default/boiler-1',
      attempts: 3,
    },
  ]);
});

test('lines below the level are not written', () => {
  const { log, lines } = capture('warn');
  log.debug('a');
  log.info('b');
  log.warn('c');
  log.error('d');
  assert.deepEqual(
    lines().map(({ message }) => message),
    ['c', 'd'],
  );
});

test('an error shows name, code, message and cause; one without a code also its stack', () => {
  const { log, lines } = capture();
  const cause = Object.assign(new Error('connect refused'), { code: 'ECONNREFUSED' });
  log.error('failed', { error: new TypeError('oops', { cause }) });
  const error = lines()[0]?.['error'] as Record<string, unknown>;
  assert.equal(error['name'], 'TypeError');
  assert.equal(error['message'], 'oops');
  assert.match(String(error['stack']), /log\.test\.ts/);
  assert.deepEqual(error['cause'], {
    name: 'Error',
    code: 'ECONNREFUSED',
    message: 'connect refused',
  });
});

test('a secret is never written, whatever its depth and spelling', () => {
  const { log, lines } = capture();
  log.info('x', {
    token: 'hush',
    hub: { accessToken: 'hush', PASSWORD: 'hush', 'api-key': 'hush', private_key: 'hush' },
    headers: [{ authorization: 'Bearer hush' }],
    address: 'opc.tcp://user:hush@10.0.0.1:4840',
    error: new Error('cannot reach mqtts://user:hush@host/'),
    tokens: 'hush',
    tokenFile: '/etc/limpet/token',
  });
  const line = JSON.stringify(lines());
  assert.doesNotMatch(line, /hush/);
  assert.match(line, /user:\*\*\*@10\.0\.0\.1/);
  assert.match(line, /\/etc\/limpet\/token/, 'the path of a token file is no secret');
});

test('nothing that is logged makes it throw, and every line stays JSON of a bounded size', () => {
  const { log, lines } = capture();
  const loop: Record<string, unknown> = {};
  loop['self'] = loop;
  const hostile = {
    get x(): never {
      throw new Error('no');
    },
  };
  const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, i]));
  log.info('odd', {
    loop,
    hostile,
    wide,
    long: 'x'.repeat(1e6),
    big: 2n ** 70n,
    nan: NaN,
    bytes: Buffer.alloc(10),
    at: new Date(NaN),
    proxy: new Proxy({}, { ownKeys: () => [1 as never] }),
  });
  log.info('many', { list: Array.from({ length: 1e5 }, () => 'x'.repeat(1e3)) });
  const written = lines();
  assert.equal(written.length, 2);
  for (const line of written) assert.ok(JSON.stringify(line).length <= 8_192);
  assert.equal(written[1]?.['message'], 'many');
});

test('a field cannot pose as the message', () => {
  const { log, lines } = capture();
  log.info('true', { message: 'false', level: 'none' });
  assert.deepEqual(lines()[0], {
    time: '2026-11-21T00:00:00.000Z',
    level: 'info',
    message: 'true',
    message_: 'false',
    level_: 'none',
  });
});

test('a reader that is too slow costs lines, never memory, and is told how many', () => {
  let release: (() => void) | undefined;
  const seen: string[] = [];
  const out = new Writable({
    highWaterMark: 1,
    write(chunk, _, done) {
      seen.push(String(chunk));
      release = done;
    },
  });
  const log = createLog({ out, clock });
  for (let i = 0; i < 10_000; i++) log.info('flood', { pad: 'x'.repeat(900) });
  assert.ok(out.writableLength < 1_200_000);
  while (out.writableLength > 0) release?.();
  log.info('after');
  assert.ok((JSON.parse(seen.at(-1) ?? '') as { dropped: number }).dropped > 8_000);
});

test('a closed pipe ends nothing', async () => {
  const out = new Writable({ write: (_chunk, _, done) => done(new Error('EPIPE')) });
  const log = createLog({ out, clock });
  log.info('one');
  await new Promise((resolve) => setImmediate(resolve));
  log.info('two');
  assert.equal(out.writable, false);
});
