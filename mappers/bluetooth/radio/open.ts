/** Opens an adapter with the library that is asked for. */
import type { Duplex } from 'node:stream';
import process from 'node:process';
import type { Clock } from '@limpet/dmi';
import type { AdapterAddress } from '../settings.ts';
import { loadAcl, loadHci, loadNativeSocket, type Package } from './noble.ts';
import { NobleRadio } from './noble-radio.ts';
import type { Radio, RadioEvents } from './radio.ts';
import { H4Socket, type HciSocket } from './socket.ts';

export interface OpenOptions {
  readonly adapter: AdapterAddress;
  readonly noble: Package | undefined;
  readonly clock: Clock;
  readonly dial: (address: string, signal: AbortSignal) => Promise<Duplex>;
  readonly keep: ((stream: Duplex) => void) | undefined;
  readonly events: RadioEvents;
}

/** @throws Unreachable, Misconfigured, or the signal's reason */
export async function openRadio(options: OpenOptions, signal: AbortSignal): Promise<Radio> {
  const { adapter, clock, events } = options;
  const library = options.noble ?? chosen();
  const hci = await loadHci(library);
  const socket = await openSocket(options, signal);
  const acl = () => loadAcl(library);
  const { name, device } = adapter;
  return NobleRadio.open({ adapter: name, hci, acl, socket, device, clock, events }, signal);
}

async function openSocket(options: OpenOptions, signal: AbortSignal): Promise<HciSocket> {
  const { adapter, dial, keep } = options;
  if (adapter.dial === undefined) {
    const NativeSocket = await loadNativeSocket();
    return new NativeSocket();
  }
  const stream = await dial(adapter.dial, signal);
  keep?.(stream);
  return new H4Socket(stream);
}

/** Where no setting says it: the maintained one. */
function chosen(): Package {
  return process.env['LIMPET_NOBLE'] === 'abandonware' ? 'abandonware' : 'stoprocent';
}
