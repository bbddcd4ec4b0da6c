/** The same work as W's polling, as Node-RED flows: each device's registers at 1 Hz, each value a retained message. */
import { DEVICES, PER_DEVICE } from './subject.ts';

type Node = Readonly<Record<string, unknown>>;

export function flows(ports: {
  readonly devices: number;
  readonly broker: number;
}): readonly Node[] {
  const units = Array.from({ length: DEVICES }, (_, i) => i + 1);
  return [
    { id: 'tab', type: 'tab', label: 'plant' },
    broker(ports.broker),
    ...units.map((unit) => client(unit, ports.devices)),
    ...units.flatMap((unit) => [read(unit), split(unit)]),
    {
      id: 'out',
      type: 'mqtt out',
      z: 'tab',
      topic: '',
      qos: '0',
      retain: 'true',
      broker: 'broker',
      wires: [],
    },
  ];
}

function broker(port: number): Node {
  return {
    id: 'broker',
    type: 'mqtt-broker',
    broker: '127.0.0.1',
    port: String(port),
    clientid: '',
    autoConnect: true,
    usetls: false,
    protocolVersion: '4',
    keepalive: '60',
    cleansession: true,
  };
}

/** One connection per device, as W has. */
function client(unit: number, port: number): Node {
  return {
    id: `client-${unit}`,
    type: 'modbus-client',
    name: `device-${unit}`,
    clienttype: 'tcp',
    bufferCommands: true,
    stateLogEnabled: false,
    queueLogEnabled: false,
    failureLogEnabled: true,
    tcpHost: '127.0.0.1',
    tcpPort: String(port),
    tcpType: 'DEFAULT',
    unit_id: String(unit),
    commandDelay: '1',
    clientTimeout: '1000',
    reconnectOnTimeout: true,
    reconnectTimeout: '2000',
    parallelUnitIdsAllowed: true,
  };
}

function read(unit: number): Node {
  return {
    id: `read-${unit}`,
    type: 'modbus-read',
    z: 'tab',
    name: '',
    unitid: String(unit),
    dataType: 'InputRegister',
    adr: '0',
    quantity: String(PER_DEVICE),
    rate: '1',
    rateUnit: 's',
    delayOnStart: false,
    server: `client-${unit}`,
    useIOFile: false,
    emptyMsgOnFail: false,
    wires: [[`split-${unit}`], []],
  };
}

function split(unit: number): Node {
  const each = `(value, i) => ({ topic: 'plant/device-${unit}/sensor-' + i, payload: { value, at: new Date().toISOString(), quality: 'good' } })`;
  return {
    id: `split-${unit}`,
    type: 'function',
    z: 'tab',
    func: `return [msg.payload.map(${each})];`,
    outputs: 1,
    wires: [['out']],
  };
}
