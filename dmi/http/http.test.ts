import assert from 'node:assert/strict';
import { type Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'node:test';
import { fakeClock, fakeContext } from '../testing/index.ts';
import { Http, type HttpOptions, httpTarget } from './http.ts';

const never = new AbortController().signal;
const OK = (body: string, more = ''): string =>
  `HTTP/1.1 200 OK\r\n${more}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

/** A server that the test plays itself: `wires` in the order they were dialled. */
async function open(options: HttpOptions = {}) {
  const clock = fakeClock();
  const wires: Duplex[] = [];
  const said: string[] = [];
  const context = fakeContext({
    clock,
    wire: (wire) => {
      wires.push(wire);
      wire.on('data', (chunk: Buffer) => void said.push(String(chunk).split('\r\n')[0] ?? ''));
      wire.on('error', () => undefined);
    },
  });
  const http = await Http.open('http://meter', context, options, never);
  const say = async (text: string): Promise<void> => {
    await turn();
    wires.at(-1)?.write(text);
    await turn();
    await turn();
  };
  return { http, clock, wires, said, say, context };
}

function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => value,
    (error: unknown) => (error as { code?: string }).code ?? (error as Error).message,
  );
}

test('requests share a connection that the server keeps', async () => {
  const { http, said, say, wires, context } = await open();
  for (const each of [1, 2]) {
    const got = http.get('/status', never);
    await say(OK(`{"n":${each}}`));
    assert.deepEqual(await got, { n: each });
  }
  assert.deepEqual(said, ['GET /status HTTP/1.1', 'GET /status HTTP/1.1']);
  assert.equal(wires.length, 1);
  assert.deepEqual(context.dialled, ['tcp://meter:80']);
});

test('a connection that the server does not keep, or fills unasked, is dialled anew', async () => {
  const { http, say, wires } = await open();
  const first = http.get('/', never);
  await say(OK('1', 'connection: close\r\n'));
  assert.equal(await first, 1);
  const second = http.get('/', never);
  await say(OK('2'));
  assert.equal(await second, 2);
  assert.equal(wires.length, 2);
  await say(OK('9'));
  const third = http.get('/', never);
  await say(OK('3'));
  assert.equal(await third, 3, 'what nobody asked for is nobody’s answer');
  assert.equal(wires.length, 3);
  wires.at(-1)?.end();
  await turn();
  const fourth = http.get('/', never);
  await say(OK('4'));
  assert.equal(await fourth, 4, 'closed while idle is no fault');
});

test('a get that meets a connection just closed is asked again; what changes something is not', async () => {
  for (const method of ['GET', 'PUT'] as const) {
    const { http, say, wires, said } = await open();
    const first = http.get('/', never);
    await say(OK('1'));
    await first;
    const second = outcome(
      method === 'GET' ? http.get('/', never) : http.send('/', { method }, never),
    );
    await turn();
    wires[0]?.end();
    await turn();
    await say(OK('2'));
    assert.equal(await second, method === 'GET' ? 2 : 'HTTP_CLOSED');
    assert.equal(said.length, method === 'GET' ? 3 : 2);
  }
});

test('what is lost stays lost, with its reaction', async () => {
  const cases: readonly [string, string][] = [
    ['SSH-2.0-x', 'HTTP_SYNTAX'],
    [OK('no json'), 'HTTP_NOT_JSON'],
    ['end', 'HTTP_CLOSED'],
    ['cut', 'HTTP_CLOSED'],
  ];
  for (const [said, code] of cases) {
    const { http, say, wires } = await open();
    const got = outcome(http.get('/', never));
    if (said === 'end' || said === 'cut') {
      await say('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{');
      if (said === 'end') wires.at(-1)?.end();
      else wires.at(-1)?.destroy();
    } else await say(said);
    assert.equal(await got, code, said);
    assert.equal(await outcome(http.get('/', never)), code);
  }
});

test('a number whose end nobody can tell is not believed', async () => {
  const { http, say, wires } = await open();
  const got = outcome(http.get('/', never));
  await say('HTTP/1.1 200 OK\r\n\r\n21');
  wires[0]?.end();
  assert.equal(await got, 'HTTP_NOT_JSON');
});

test('silence ends with the deadline, an abort at once', async () => {
  const { http, clock } = await open({ timeoutMs: 300 });
  const got = outcome(http.get('/', never));
  await clock.advance(300);
  assert.equal(await got, 'HTTP_TIMEOUT');
  assert.equal(clock.pending, 0);
  const other = await open();
  const abort = new AbortController();
  const given = outcome(other.http.get('/', abort.signal));
  await turn();
  abort.abort(new Error('enough'));
  assert.equal(await given, 'enough');
  assert.equal(other.clock.pending, 0);
});

test('a status that says no is Refused, without anything secret, and the connection stays', async () => {
  const { http, say, wires } = await open({ headers: { authorization: 'Basic secret' } });
  for (const status of [401, 404, 503]) {
    const got = http.get('/a', never);
    got.catch(() => undefined);
    await say(`HTTP/1.1 ${status} No\r\ncontent-length: 2\r\n\r\nno`);
    await assert.rejects(got, (error: Error & { code: string }) => {
      assert.equal(error.name, 'Refused');
      assert.equal(error.code, `HTTP_STATUS_${status}`);
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
  }
  assert.equal(wires.length, 1);
});

test('an address, a path or a header that cannot be is Misconfigured', async () => {
  assert.deepEqual(httpTarget('http://[fd00::1]:8080/'), {
    host: '[fd00::1]:8080',
    dial: 'tcp://[fd00::1]:8080',
  });
  for (const wrong of ['https://x', 'x', 'http://x:0', 'http://x/y', 'http://u:p@x']) {
    assert.throws(() => httpTarget(wrong), { code: 'HTTP_ADDRESS' });
  }
  const { http } = await open();
  assert.equal(await outcome(http.get('/a b', never)), 'HTTP_PATH');
  assert.equal(await outcome(http.get('/a\r\nX: y', never)), 'HTTP_PATH');
  await assert.rejects(open({ headers: { a: 'b\r\nc: d' } }), { code: 'HTTP_HEADER' });
});
