/** `@limpet/mapper-modbus`: Modbus TCP, RTU on a serial line, and RTU frames over TCP. */
import type { Duplex } from 'node:stream';
import { defineMapper, type Mapper, type MapperContext, Unreachable } from '@limpet/dmi';
import { ModbusClient } from './client.ts';
import { ModbusConnection } from './connection.ts';
import { type Settings, settings } from './settings.ts';
import { fits, type Visitor, visitor } from './visitor.ts';
import { Wire } from './wire.ts';

/** The least that a connection may take: a TCP handshake that lost a packet needs more than a second. */
const DIAL_MS = 5000;

const mapper: Mapper<Settings, Visitor> = defineMapper({
  protocol: 'modbus',
  settings,
  visitor,
  fits,
  port: ({ port }) => port,
  async connect(settings, context, signal) {
    const { clock } = context;
    const stream = await dial(settings, context, signal);
    // No secret, only unlike that of the last connection; node:crypto costs a process 1.2 MiB.
    const wire = new Wire(stream, settings, clock, Math.floor(Math.random() * 0x1_0000));
    try {
      const client = await ModbusClient.open(wire, settings.unit, clock);
      signal.throwIfAborted();
      return new ModbusConnection(client, settings);
    } catch (error) {
      wire.close();
      throw error;
    }
  },
});
export default mapper;

async function dial(
  { dial: address, timeoutMs }: Settings,
  context: MapperContext,
  signal: AbortSignal,
): Promise<Duplex> {
  const deadline = new AbortController();
  const ms = Math.max(timeoutMs, DIAL_MS);
  const cancel = context.clock.after(ms, () =>
    deadline.abort(
      new Unreachable('MODBUS_TIMEOUT', `no connection to ${address} within ${ms} ms`),
    ),
  );
  try {
    return await context.dial(address, AbortSignal.any([signal, deadline.signal]));
  } finally {
    cancel();
  }
}
