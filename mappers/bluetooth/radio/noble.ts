/**
 * The HCI layer of noble, of either package: how its commands and events are called there. Only this layer is used, which is the
 * same in both: what stands above it swallows refusals of the device, waits for ever, and remembers every advertiser it ever heard.
 */
import type { EventEmitter } from 'node:events';
import { Misconfigured, Unreachable } from '@limpet/dmi';
import type { HciSocket } from './socket.ts';

/** The two packages. */
export type Package = 'stoprocent' | 'abandonware';

/** As noble writes it down for a connection: intervals in 1.25 ms, time-out in 10 ms. */
interface ConnectionParameters {
  readonly minInterval: number;
  readonly maxInterval: number;
  readonly latency: number;
  readonly timeout: number;
}

/** noble's class `Hci`, as far as it is used. */
export interface NobleHci extends EventEmitter {
  _socket: HciSocket;
  /** Packets that the controller has no room for yet. */
  _aclQueue: { readonly handle: number }[];
  /** Of its look at the adapter, once a second; only @stoprocent/noble keeps it. */
  readonly _devUpPollTimer?: ReturnType<typeof setTimeout> | null;
  readonly _aclConnections: ReadonlyMap<number, unknown>;
  flushAcl(): Promise<void>;
  /** Of the adapter; known once it is `poweredOn`. */
  readonly address?: string;
  init(): void;
  /** Looks once a second whether the adapter is up, by itself. */
  pollIsDevUp(): void;
  setScanEnabled(on: boolean, filterDuplicates: boolean): void;
  setScanParameters(): void;
  createLeConn(
    address: string,
    addressType: 'random' | 'public',
    parameters: ConnectionParameters,
    reset: false,
  ): void;
  connUpdateLe(handle: number, min: number, max: number, latency: number, timeout: number): void;
  cancelConnect(): void;
  disconnect(handle: number): void;
  writeAclDataPkt(handle: number, channel: number, bytes: Buffer): Promise<void>;
}

/** noble's class `AclStream`, with its Security Manager: pairing. */
export interface NobleAcl extends EventEmitter {
  encrypt(): void;
  push(channel: number | null, bytes: Buffer | null): void;
  pushEncrypt(on: number): void;
}

export type HciClass = new (options: object) => NobleHci;
// eslint-disable-next-line max-params -- as noble has it
export type AclClass = new (
  hci: NobleHci,
  handle: number,
  localType: 'public' | 'random',
  local: string,
  remoteType: 'public' | 'random',
  remote: string,
) => NobleAcl;
export type NativeSocketClass = new () => HciSocket;

/** Loaded when the first adapter is opened: 2 MB of private memory. */
const HCI: Readonly<Record<Package, () => Promise<{ default: unknown }>>> = {
  stoprocent: () => import('@stoprocent/noble/lib/hci-socket/hci.js'),
  abandonware: () => import('@abandonware/noble/lib/hci-socket/hci.js'),
};

/** Loaded at the first pairing: brings node:crypto, 1.2 MiB. */
const ACL: Readonly<Record<Package, () => Promise<{ default: unknown }>>> = {
  stoprocent: () => import('@stoprocent/noble/lib/hci-socket/acl-stream.js'),
  abandonware: () => import('@abandonware/noble/lib/hci-socket/acl-stream.js'),
};

const METHODS = [
  'init',
  'pollIsDevUp',
  'setScanEnabled',
  'createLeConn',
  'flushAcl',
  'writeAclDataPkt',
];

/** @throws Misconfigured when the package is not there, or has changed beneath us */
export async function loadHci(name: Package): Promise<HciClass> {
  const loaded = (await load(name, HCI[name])) as HciClass;
  const missing = METHODS.filter((method) => !(method in loaded.prototype));
  if (missing.length === 0) return loaded;
  throw new Misconfigured(
    'BLE_NOBLE',
    `@${name}/noble has no ${missing.join(', ')}: install the version that this mapper names`,
  );
}

/** @throws Misconfigured */
export async function loadAcl(name: Package): Promise<AclClass> {
  return (await load(name, ACL[name])) as AclClass;
}

/** The raw HCI socket of the kernel, a native add-on. @throws Misconfigured */
export async function loadNativeSocket(): Promise<NativeSocketClass> {
  const loaded = await load(
    'stoprocent',
    () => import('@stoprocent/bluetooth-hci-socket/lib/native.js'),
  );
  return loaded as NativeSocketClass;
}

async function load(
  name: Package,
  importing: () => Promise<{ default: unknown }>,
): Promise<unknown> {
  try {
    return (await importing()).default;
  } catch (error) {
    const message = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new Misconfigured('BLE_NOBLE', `cannot load the library of @${name}/noble: ${message}`, {
      cause: error,
    });
  }
}

/** What noble says of an adapter that is not, or no longer, `poweredOn`. */
export function stateError(adapter: string, state: string): Error {
  switch (state) {
    case 'unauthorized':
      return new Misconfigured(
        'BLE_PERMISSION',
        `no permission for ${adapter}: the process needs CAP_NET_RAW and CAP_NET_ADMIN`,
      );
    case 'unsupported':
      return new Unreachable(
        'BLE_UNSUPPORTED',
        `${adapter} cannot be used: this kernel has no Bluetooth, or the adapter no Bluetooth LE (4.0 or later)`,
      );
    default:
      return new Unreachable(
        'BLE_ADAPTER_DOWN',
        `${adapter} is ${state === 'poweredOff' ? 'absent or down' : state}: plug it in, or switch it on (rfkill unblock bluetooth; hciconfig ${adapter} up)`,
      );
  }
}
