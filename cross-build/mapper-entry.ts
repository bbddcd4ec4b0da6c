/** The bundle's second entry: a process with one of the mappers that the bundle carries, or one that a board installed. */
import { runMapperChild } from '#runtime/mapper/process/child/run.ts';
import { confine } from '#runtime/mapper/sandbox/confine.ts';

await runMapperChild({
  ...confine(),
  carried: {
    bluetooth: () => import('@limpet/mapper-bluetooth'),
    modbus: () => import('@limpet/mapper-modbus'),
    mqtt: () => import('@limpet/mapper-mqtt'),
    opcua: () => import('@limpet/mapper-opcua'),
  },
});
