/** The bundle's entry: the edge, and the mappers it carries, each a chunk that loads when a device needs it. */
import bluetooth from '../mappers/bluetooth/package.json' with { type: 'json' };
import modbus from '../mappers/modbus/package.json' with { type: 'json' };
import mqtt from '../mappers/mqtt/package.json' with { type: 'json' };
import opcua from '../mappers/opcua/package.json' with { type: 'json' };
import { runEdge } from '#runtime/main.ts';

await runEdge({
  bluetooth: { ...bluetooth, load: () => import('@limpet/mapper-bluetooth') },
  modbus: { ...modbus, load: () => import('@limpet/mapper-modbus') },
  mqtt: { ...mqtt, load: () => import('@limpet/mapper-mqtt') },
  opcua: { ...opcua, load: () => import('@limpet/mapper-opcua') },
});
