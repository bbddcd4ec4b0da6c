/** `@limpet/mapper-bluetooth`: sensors that advertise, and devices with GATT, through one or several adapters. */
import { type Clock, defineMapper, type Mapper, type MapperContext } from '@limpet/dmi';
import { Adapter } from './adapter.ts';
import { BluetoothConnection } from './connection.ts';
import { Device } from './device.ts';
import { Listening } from './listening.ts';
import { type AdapterAddress, type Settings, settings } from './settings.ts';
import { visitor } from './visitor-schema.ts';
import { fits, type Visitor } from './visitor.ts';

/** What devices share: the adapters that settings name, and who is listened for. Those that nobody uses know how often they failed. */
class Shared {
  readonly listening = new Listening();
  readonly #adapters = new Map<string, Adapter>();

  adapter(address: AdapterAddress, { clock, log }: MapperContext): Adapter {
    const key = `${address.name} ${address.dial ?? ''}`;
    const present = this.#adapters.get(key);
    if (present !== undefined && present.users > 0) return present;
    const adapter = new Adapter(address, clock, log, present?.failures);
    this.#adapters.set(key, adapter);
    return adapter;
  }
}

/** Adapters live longer than devices: so this mapper has state, one for each runtime that it serves, which its clock tells apart. */
function bluetoothMapper(): Mapper<Settings, Visitor> {
  const runtimes = new WeakMap<Clock, Shared>();
  const sharedOf = ({ clock }: MapperContext): Shared => {
    const shared = runtimes.get(clock) ?? new Shared();
    runtimes.set(clock, shared);
    return shared;
  };
  return defineMapper({
    protocol: 'bluetooth',
    settings,
    visitor,
    fits,
    async connect(settings, context, signal) {
      const shared = sharedOf(context);
      const adapters = () => settings.adapters.map((each) => shared.adapter(each, context));
      const device =
        shared.listening.take(settings, context) ??
        new Device({ settings, context, adapters: adapters() });
      try {
        await device.open(signal);
        return new BluetoothConnection(device);
      } catch (error) {
        shared.listening.keep(device, context, error);
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
