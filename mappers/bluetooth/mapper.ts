/** `@limpet/mapper-bluetooth`: sensors that advertise, and devices with GATT, through one or several adapters. */
import { defineMapper, type Mapper, type MapperContext } from '@limpet/dmi';
import { Adapter } from './adapter.ts';
import { BluetoothConnection } from './connection.ts';
import { Device } from './device.ts';
import { Listening } from './listening.ts';
import { type AdapterAddress, type Settings, settings } from './settings.ts';
import { visitor } from './visitor-schema.ts';
import { fits, type Visitor } from './visitor.ts';

/** Devices share adapters: so this mapper has state, which lives as long as its process. */
function bluetoothMapper(): Mapper<Settings, Visitor> {
  /** One entry for each adapter that settings name; those that nobody uses know how often they failed. */
  const known = new Map<string, Adapter>();
  const listening = new Listening();
  const adapterAt = (address: AdapterAddress, { clock, log }: MapperContext): Adapter => {
    const key = `${address.name} ${address.dial ?? ''}`;
    const present = known.get(key);
    if (present !== undefined && present.users > 0) return present;
    const adapter = new Adapter(address, clock, log, present?.losses);
    known.set(key, adapter);
    return adapter;
  };
  return defineMapper({
    protocol: 'bluetooth',
    settings,
    visitor,
    fits,
    async connect(settings, context, signal) {
      const present = listening.take(settings, context);
      const adapters = () => settings.adapters.map((each) => adapterAt(each, context));
      const device = present ?? new Device({ settings, context, adapters: adapters() });
      try {
        await device.open(signal);
        return new BluetoothConnection(device);
      } catch (error) {
        listening.keep(device, context, error);
        throw error;
      }
    },
    async *discover(search, context, signal) {
      // Asked for at a command line only: on the edge its tables would take memory for nothing.
      const { discover } = await import('./discover.ts');
      yield* discover(search, context, signal);
    },
  });
}

export default bluetoothMapper();
