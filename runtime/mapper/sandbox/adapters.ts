/**
 * Lets this process open declared Bluetooth adapters only. Raw HCI sockets are opened by one native add-on, which every
 * Bluetooth library for Linux uses and which is met here as it is loaded. Another add-on could open them unseen: then only
 * the kernel holds it (CAP_NET_RAW). Adapters on a serial line are serial lines, and checked as such.
 */
import { type Permissions } from './permissions.ts';
import { Denied } from './sockets.ts';

/** What loads add-ons: `process`. */
export interface Loader {
  dlopen(module: object, ...rest: unknown[]): void;
}

type Bind = (device?: unknown, ...rest: unknown[]) => unknown;
type Socket = new () => { bindRaw: Bind; bindUser: Bind; bindControl: Bind };
interface Addon {
  readonly exports?: { BluetoothHciSocket?: Socket };
}

/** From now on, for add-ons that are loaded. */
export function guardAdapters({ bluetooth }: Pick<Permissions, 'bluetooth'>, loader: Loader): void {
  if (bluetooth === true) return;
  const declared = bluetooth === false ? [] : bluetooth;
  const load = loader.dlopen.bind(loader);
  loader.dlopen = (module, ...rest) => {
    load(module, ...rest);
    const { exports } = module as Addon;
    if (exports?.BluetoothHciSocket === undefined) return;
    exports.BluetoothHciSocket = guarded(exports.BluetoothHciSocket, declared);
  };
}

/** A class in its place: methods of native ones cannot be replaced. */
function guarded(Native: Socket, declared: readonly string[]): Socket {
  const check = (device: unknown): void => {
    const name = typeof device === 'number' ? `hci${device}` : 'whatever adapter there is';
    if (declared.includes(name)) return;
    throw new Denied(
      `the mapper may not open ${name}: add it to "bluetooth" of its permissions, in its package.json, or in limpet.yaml and restart the edge`,
    );
  };
  return class extends Native {
    override bindRaw = (device?: unknown, ...rest: unknown[]): unknown => {
      check(device);
      return Native.prototype.bindRaw.call(this, device, ...rest);
    };
    override bindUser = (device?: unknown, ...rest: unknown[]): unknown => {
      check(device);
      return Native.prototype.bindUser.call(this, device, ...rest);
    };
    override bindControl = (): unknown => {
      check(undefined);
      return undefined;
    };
  };
}
