import { fakeClock } from '@limpet/dmi/testing';
import { type DmiError } from '@limpet/dmi';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { parseAddress } from './address.ts';
import { Ports } from './ports.ts';

const NEVER = new AbortController().signal;

/** Ports over in-memory streams; `far` are the other ends, in the order they were opened. */
function memory() {
  const far: Duplex[] = [];
  const ports = new Ports({
    clock: fakeClock(),
    open: () => {
      const [near, other] = duplexPair();
      far.push(other);
      return Promise.resolve(near);
    },
  });
  return { ports, far };
}

async function heard(part: Duplex): Promise<string> {
  await setImmediate();
  await setImmediate();
  return String(part.read() ?? '');
}

const SERIAL = 'serial:/dev/ttyX?baud=19200';
const poll = { rank: 'poll', signal: NEVER } as const;

test('devices of a port share one wire, and each hears only in its turn', async () => {
  const { ports, far } = memory();
  const [a, b] = [ports.join('line', 'default/a'), ports.join('line', 'default/b')];
  const partA = await a.turn(poll, () => a.dial(SERIAL, NEVER));
  const partB = await b.turn(poll, () => b.dial(SERIAL, NEVER));
  assert.equal(far.length, 1);
  const [wire] = far as [Duplex];
  await b.turn(poll, async () => {
    partB.write('ask');
    assert.equal(await heard(wire), 'ask');
    wire.write('for b');
    assert.equal(await heard(partB), 'for b');
    assert.equal(await heard(partA), '');
  });
  wire.write('late');
  assert.equal(await heard(partB), '');
  assert.equal(ports.figures()[0]?.droppedBytes, 4);
});

test('a part given back leaves the wire to the others; the last one closes it', async () => {
  const { ports, far } = memory();
  const [a, b] = [ports.join('line', 'default/a'), ports.join('line', 'default/b')];
  const partA = await a.turn(poll, () => a.dial(SERIAL, NEVER));
  const partB = await b.turn(poll, () => b.dial(SERIAL, NEVER));
  partA.end();
  await once(partA, 'close');
  assert.equal(partB.destroyed, false);
  const again = await a.turn(poll, () => a.dial(SERIAL, NEVER));
  again.destroy();
  partB.end();
  await once(partB, 'close');
  await a.turn(poll, () => a.dial(SERIAL, NEVER));
  assert.equal(far.length, 2);
});

test('destroying a part with an error cuts the wire for all, and the next dial opens it anew', async () => {
  const { ports, far } = memory();
  const [a, b] = [ports.join('line', 'default/a'), ports.join('line', 'default/b')];
  const partA = await a.turn(poll, () => a.dial(SERIAL, NEVER));
  const partB = await b.turn(poll, () => b.dial(SERIAL, NEVER));
  const lost = once(partB, 'error') as Promise<[DmiError]>;
  partA.destroy(new Error('noise'));
  assert.equal((await lost)[0].code, 'PORT_CUT');
  await b.turn(poll, () => b.dial(SERIAL, NEVER));
  assert.equal(far.length, 2);
});

test('a device that writes outside its turn is stopped', async () => {
  const { ports, far } = memory();
  const a = ports.join('line', 'default/a');
  const part = await a.turn(poll, () => a.dial(SERIAL, NEVER));
  const failed = once(part, 'error') as Promise<[Error]>;
  part.write('now');
  assert.match((await failed)[0].message, /outside its turn/);
  assert.equal(await heard(far[0] as Duplex), '');
});

test('other line settings for a line in use are refused, naming both devices', async () => {
  const { ports } = memory();
  const [a, b] = [ports.join('line', 'default/a'), ports.join('line', 'default/b')];
  await a.turn(poll, () => a.dial(SERIAL, NEVER));
  const other = b.turn(poll, () => b.dial(`${SERIAL}&parity=even`, NEVER));
  await assert.rejects(other, (error: DmiError) => {
    assert.equal(error.code, 'PORT_SETTINGS');
    assert.match(error.message, /default\/a.*parity none.*default\/b.*parity even/);
    return true;
  });
});

test('turns are first come first served, orders first, and a poll after eight orders', async () => {
  const { ports } = memory();
  const seats = Array.from({ length: 12 }, (_, index) => ports.join('line', `d${index}`));
  const log: string[] = [];
  const { promise: busy, resolve: free } = Promise.withResolvers<void>();
  const all = seats.map((seat, index) => {
    const rank = index === 0 || index === 1 ? 'poll' : 'order';
    return seat.turn({ rank, signal: NEVER }, async () => {
      log.push(`${rank} ${seat.device}`);
      if (index === 0) await busy;
    });
  });
  await setImmediate();
  free();
  await Promise.all(all);
  const orders = Array.from({ length: 8 }, (_, index) => `order d${index + 2}`);
  assert.deepEqual(log, ['poll d0', ...orders, 'poll d1', 'order d10', 'order d11']);
});

test('a device that stops waiting leaves the queue', async () => {
  const { ports } = memory();
  const [a, b, c] = ['a', 'b', 'c'].map((name) => ports.join('line', name)) as [
    never,
    never,
    never,
  ];
  const stop = new AbortController();
  const { promise: busy, resolve: free } = Promise.withResolvers<void>();
  const first = (a as ReturnType<Ports['join']>).turn(poll, () => busy);
  const second = (b as ReturnType<Ports['join']>).turn(
    { rank: 'poll', signal: stop.signal },
    () => busy,
  );
  const third = (c as ReturnType<Ports['join']>).turn(poll, () => Promise.resolve('c'));
  stop.abort(new Error('enough'));
  await assert.rejects(second, /enough/);
  free();
  await first;
  assert.equal(await third, 'c');
});

test('a device without a shared port hears at any time', async () => {
  const { ports, far } = memory();
  const seat = ports.join(undefined, 'default/a');
  const part = await seat.dial('tcp://10.0.0.5:502', NEVER);
  far[0]?.write('news');
  assert.equal(await heard(part), 'news');
});

async function listening(t: TestContext, serve: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('TCP: bytes go both ways, and a reset is Unreachable PORT_LOST', async (t) => {
  let peer: Socket | undefined;
  const address = await listening(
    t,
    (socket) => void (peer = socket.on('data', (it) => socket.write(it))),
  );
  const seat = new Ports({ clock: fakeClock() }).join(undefined, 'default/a');
  const part = await seat.dial(address, NEVER);
  part.write('echo');
  const [back] = (await once(part, 'data')) as [Buffer];
  assert.equal(String(back), 'echo');
  const lost = once(part, 'error') as Promise<[DmiError]>;
  peer?.resetAndDestroy();
  assert.equal((await lost)[0].code, 'PORT_LOST');
});

test('TCP: a refused connection and an aborted one say what they are', async (t) => {
  const address = await listening(t, () => undefined);
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as AddressInfo;
  closed.close();
  await once(closed, 'close');
  const seat = new Ports({ clock: fakeClock() }).join(undefined, 'default/a');
  await assert.rejects(seat.dial(`tcp://127.0.0.1:${port}`, NEVER), { code: 'PORT_REFUSED' });
  await assert.rejects(seat.dial(address, AbortSignal.abort(new Error('enough'))), /enough/);
});

test('a serial path that is not there says which are', async () => {
  const seat = new Ports({ clock: fakeClock() }).join(undefined, 'default/a');
  await assert.rejects(seat.dial('serial:/dev/ttyNone', NEVER), {
    name: 'Unreachable',
    code: 'PORT_NOT_FOUND',
    message: /serial path \/dev\/ttyNone does not exist .*present: /,
  });
  await assert.rejects(seat.dial('serial:/dev', NEVER), { code: 'PORT_NOT_SERIAL' });
});

test('addresses are parsed strictly, with every fault at once', () => {
  assert.deepEqual(parseAddress('tcp://[::1]:502'), { kind: 'tcp', host: '::1', port: 502 });
  assert.deepEqual(parseAddress('serial:/dev/ttyUSB0?baud=19200&parity=even'), {
    kind: 'serial',
    path: '/dev/ttyUSB0',
    baud: 19_200,
    parity: 'even',
    dataBits: 8,
    stopBits: 1,
  });
  for (const text of [
    'tcp://host',
    'tcp://host:0',
    'tcp://host:70000',
    'udp://host:1',
    'tcp://a@b:1',
  ]) {
    assert.throws(() => parseAddress(text), { name: 'Misconfigured', code: 'PORT_ADDRESS' }, text);
  }
  assert.throws(
    () => parseAddress('serial:ttyUSB0?baud=fast&paritty=even&stopbits=3'),
    ({ message }: Error) =>
      ['absolute', 'baud must', '"paritty"', 'stopbits'].every((part) => message.includes(part)),
  );
});
