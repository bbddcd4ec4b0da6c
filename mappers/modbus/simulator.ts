/**
 * `@limpet/mapper-modbus/simulator`: a simulated device for any settings and visitors, made of them alone; and what it is
 * made of, for plants and tests with several units and faults.
 */
import { defineSimulator, type Simulator, type Value } from '@limpet/dmi';
import type { Settings } from './settings.ts';
import { ModbusSimulator } from './simulated-bus.ts';
import type { SimulatedUnit } from './simulated-unit.ts';
import { bitMask, decode, encode, expectBool } from './values.ts';
import type { Visitor } from './visitor.ts';

export { type Fault, ModbusSimulator } from './simulated-bus.ts';
export { SimulatedUnit } from './simulated-unit.ts';

/** Registers hold what the properties' visitors put there; asking for any other is refused with exception 2. */
export const simulator: Simulator<Settings, Visitor> = defineSimulator({
  simulate({ settings, properties }, { clock }) {
    const bus = new ModbusSimulator(clock);
    const unit = bus.unit(settings.unit);
    const places = new Map<string, Visitor>();
    for (const { name, visitor, value } of properties) {
      places.set(name, visitor);
      put(unit, visitor, value);
    }
    const at = (name: string): Visitor => {
      const visitor = places.get(name);
      if (visitor === undefined) throw new Error(`the simulated device has no property "${name}"`);
      return visitor;
    };
    return {
      accept: (wire) => bus.serve(wire, settings.framing),
      get: (name) => take(unit, at(name)),
      set: (name, value) => put(unit, at(name), value),
      close: () => undefined,
    };
  },
});

function put(unit: SimulatedUnit, visitor: Visitor, value: Value): void {
  const { register, address, bit } = visitor;
  if (isBit(visitor)) return unit.set(register, address, [expectBool(value) ? 1 : 0]);
  if (bit === undefined) return unit.set(register, address, encode(visitor, value));
  const [before = 0] = unit.get(register, address) ?? [];
  const mask = bitMask(visitor);
  unit.set(register, address, [expectBool(value) ? before | mask : before & ~mask]);
}

function take(unit: SimulatedUnit, visitor: Visitor): Value {
  const { register, address, count } = visitor;
  const held = unit.get(register, address, count) ?? [];
  if (isBit(visitor)) return held[0] === 1;
  const bytes = Buffer.alloc(count * 2);
  for (const [index, value] of held.entries()) bytes.writeUInt16BE(value, index * 2);
  const reading = decode(visitor, bytes);
  if (!reading.ok) throw reading.error;
  return reading.value;
}

function isBit({ register }: Visitor): boolean {
  return register === 'coil' || register === 'discrete';
}
