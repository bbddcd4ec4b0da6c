/**
 * The emulated plant, a process of its own: two units behind one Modbus TCP gateway, two on a serial line. Prints one line of
 * JSON with its addresses once it answers. Ends with the process that started it, or on a signal.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import process from 'node:process';
import { ModbusSimulator } from '@limpet/mapper-modbus/simulator';
import { systemClock } from '#runtime/kernel/clock.ts';
import { seeded } from '../rig/random.ts';
import { START, step, weather } from './boiler-house.ts';
import { openPseudoTerminal } from './pseudo-terminal.ts';
import { listen, show } from './registers.ts';

const TICK_MS = 200;
const SEED = 20_261_121;

const closing: (() => void)[] = [];
process.once('disconnect', stop);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, stop);

const gateway = new ModbusSimulator(systemClock);
const line = new ModbusSimulator(systemClock);
let house = { ...START, outside: weather(Date.now()) };
listen(gateway, house, (wish) => {
  house = { ...house, ...wish };
});
const random = seeded(SEED);
const noise = (): number => random() * 2 - 1;
show(gateway, line, house, noise);
let last = performance.now();
const ticks = setInterval(() => {
  const now = performance.now();
  house = step(house, (now - last) / 1000, Date.now());
  last = now;
  show(gateway, line, house, noise);
}, TICK_MS);
closing.push(() => clearInterval(ticks));

const addresses = { gateway: `tcp://${await serveTcp(gateway, 'tcp')}`, line: await serveLine() };
process.stdout.write(`${JSON.stringify({ ready: addresses })}\n`);

async function serveLine(): Promise<string> {
  const terminal = await openPseudoTerminal();
  if (terminal === undefined) return `rtu+tcp://${await serveTcp(line, 'rtu')}`;
  closing.push(() => terminal.close());
  line.serve(terminal.stream, 'rtu');
  return `rtu://${terminal.path}?baud=19200&parity=even`;
}

async function serveTcp(simulator: ModbusSimulator, framing: 'tcp' | 'rtu'): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    simulator.serve(socket, framing);
  }).listen(0, '127.0.0.1');
  closing.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Nothing of the plant outlives it: closing everything lets the process end. */
function stop(): void {
  for (const close of closing.splice(0)) close();
  if (process.connected) process.disconnect();
}
