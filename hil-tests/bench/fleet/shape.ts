/**
 * What each slave of the fleet is: 99 measurements in ten groups of input registers with holes between them, as meters have
 * them (six int16, two float32, two uint32, four registers of nothing), and one setpoint. Three requests read all of it.
 */
import type { DeviceModel, Property } from '@limpet/dmi/manifest';

export const PER_SLAVE = 100;
/** One wide slave more, for orders: so many setpoints in a row. */
export const PANEL_POINTS = 100;

const GROUPS = 10;
/** Registers from one group to the next. */
const STRIDE = 18;
/** In a group: where each property lies, and how. */
const GROUP = [
  ...[0, 1, 2, 3, 4, 5].map((at) => ({ at, type: 'int16', count: 1 })),
  ...[6, 8].map((at) => ({ at, type: 'float32', count: 2 })),
  ...[10, 12].map((at) => ({ at, type: 'uint32', count: 2 })),
] as const;

/** A measurement's first register, and how many it takes. */
export interface Place {
  readonly name: string;
  readonly type: string;
  readonly address: number;
  readonly count: number;
}

/** The last group has one less: its place is the setpoint's. */
export const PLACES: readonly Place[] = Array.from({ length: GROUPS }, (_, group) =>
  GROUP.map(({ at, type, count }, place) => ({
    name: `m${group * GROUP.length + place}`,
    type,
    address: group * STRIDE + at,
    count,
  })),
)
  .flat()
  .slice(0, PER_SLAVE - 1);

export const REGISTERS = GROUPS * STRIDE;

export const meter = model('meter', [
  ...PLACES.map(({ name, type, address }): Property => ({
    name,
    type: type === 'float32' ? 'float' : 'int',
    every: '1s',
    visitor: { register: 'input', address, type },
  })),
  setpoint('setpoint', 0),
]);

export const panel = model(
  'panel',
  Array.from({ length: PANEL_POINTS }, (_, at) => setpoint(`p${at}`, at)),
);

function setpoint(name: string, address: number): Property {
  const visitor = { register: 'holding', address, type: 'int16' };
  return { name, type: 'int', access: 'readWrite', every: '1s', visitor };
}

function model(name: string, properties: readonly Property[]): DeviceModel {
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'DeviceModel',
    metadata: { name },
    spec: { protocol: 'modbus', properties },
  };
}
