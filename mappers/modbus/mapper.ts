/** `@limpet/mapper-modbus`: Modbus TCP, RTU on a serial line, and RTU frames over TCP. */
import { defineMapper, type Mapper } from '@limpet/dmi';
import { ModbusClient } from './client.ts';
import { ModbusConnection } from './connection.ts';
import { dial } from './dial.ts';
import { type Settings, settings } from './settings.ts';
import { fits, type Visitor, visitor } from './visitor.ts';
import { Wire } from './wire.ts';

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
  async *discover(search, context, signal) {
    // Nothing that an edge needs.
    const { discover } = await import('./discover.ts');
    yield* discover(search, context, signal);
  },
});
export default mapper;
