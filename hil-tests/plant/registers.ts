/** The house's instruments as Modbus units: which register shows what, and which one can be written. */
import type { ModbusSimulator, SimulatedUnit } from '@limpet/mapper-modbus/simulator';
import type { House } from './boiler-house.ts';

const UNITS = { boiler: 1, meter: 2, weather: 3, flue: 4 } as const;

/** Fills the registers of one house from its state; `noise` is within -1..1. */
export function show(
  gateway: ModbusSimulator,
  line: ModbusSimulator,
  house: House,
  noise: () => number,
): void {
  const boiler = gateway.unit(UNITS.boiler);
  boiler.set('input', 0, float32(house.boiler + 0.04 * noise()));
  boiler.set('input', 2, uint32(house.burnerSeconds / 3600));
  boiler.set('discrete', 0, [house.burner ? 1 : 0]);
  const meter = gateway.unit(UNITS.meter);
  meter.set('input', 0, float32(house.boiler - 0.4 + 0.03 * noise()));
  meter.set('input', 2, float32(house.returned + 0.03 * noise()));
  meter.set('input', 4, float32(Math.max(0, house.flow + 0.004 * noise())));
  meter.set('input', 6, float32(Math.max(0, house.power)));
  meter.set('input', 8, uint32(house.energy * 10));
  const air = line.unit(UNITS.weather);
  air.set('input', 0, [Math.round((house.outside + 0.06 * noise()) * 10)]);
  air.set('input', 1, [Math.round(820 - 20 * house.outside + 3 * noise())]);
  const flue = line.unit(UNITS.flue);
  flue.set('input', 0, [Math.round((house.flue + 0.5 * noise()) * 10)]);
  flue.set('input', 1, [Math.round((house.burner ? 4.6 : 20.9) * 10 + noise())]);
}

/** Sets up what the operator may write, and hears of it. */
export function listen(
  gateway: ModbusSimulator,
  house: House,
  changed: (wish: Partial<Pick<House, 'setpoint' | 'pump'>>) => void,
): void {
  const boiler: SimulatedUnit = gateway.unit(UNITS.boiler);
  boiler.set('holding', 10, [Math.round(house.setpoint * 10)]);
  boiler.set('coil', 4, [house.pump ? 1 : 0]);
  boiler.onWritten(({ table, address, value }) => {
    if (table === 'holding' && address === 10) changed({ setpoint: ((value << 16) >> 16) / 10 });
    if (table === 'coil' && address === 4) changed({ pump: value !== 0 });
  });
}

function float32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatBE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(Math.floor(value) >>> 0);
  return bytes;
}
