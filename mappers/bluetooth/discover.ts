/** What a person at a command line finds: devices that are heard; of one of them, its services and characteristics. */
import { type Found, Misconfigured, type MapperContext, type Search } from '@limpet/dmi';
import { duration } from '@limpet/dmi/schema';
import { Adapter, type AdapterUser } from './adapter.ts';
import { parseAdvertisement, type Advertisement } from './advertisement.ts';
import { modelOf } from './browse.ts';
import { Device } from './device.ts';
import { formatOf } from './formats.ts';
import type { Report } from './radio/radio.ts';
import {
  type AdapterAddress,
  parseAdapter,
  settings as schema,
  type Settings,
} from './settings.ts';
import { uuidText } from './uuid.ts';
import { serviceName } from './uuid-names.ts';
import * as v from 'valibot';

/** Unless the settings say `scan: 30s`. */
const SCAN_MS = 10_000;
/** So long after it was first heard a device is told: its scan response has come by then. */
const SETTLE_MS = 1_500;
const LOOK_MS = 250;
/** Addresses of one search; later ones are counted, not told. */
const MAX_HEARD = 1_000;

/** `limpet discover bluetooth [ADDRESS | ADAPTER]`. */
export async function* discover(
  search: Search,
  context: MapperContext,
  signal: AbortSignal,
): AsyncGenerator<Found> {
  const { where } = search;
  if (where !== undefined && /^[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}$/.test(where)) {
    yield await look(where, search, context, signal);
    return;
  }
  const named = where ?? search.settings['adapter'] ?? 'hci0';
  const names = (Array.isArray(named) ? named : [named]).map(String);
  const { scan } = search.settings;
  const scanMs = scan === undefined ? SCAN_MS : millisecondsOf(scan);
  for (const name of names) yield* listen(adapterOf(name), scanMs, context, signal);
}

function millisecondsOf(scan: unknown): number {
  const parsed = v.safeParse(duration('1s', '10m'), scan);
  if (parsed.success) return parsed.output;
  throw new Misconfigured('BLE_SETTINGS', `scan: ${parsed.issues[0].message}`);
}

function adapterOf(name: string): AdapterAddress {
  const parsed = parseAdapter(name);
  if (typeof parsed !== 'string') return parsed;
  throw new Misconfigured('BLE_SETTINGS', `${name}: ${parsed}, or the address of a device`);
}

interface Heard {
  readonly sinceMs: number;
  rssi: number;
  connectable: boolean;
  advertisement: Advertisement;
  told: boolean;
}

async function* listen(
  address: AdapterAddress,
  scanMs: number,
  context: MapperContext,
  signal: AbortSignal,
): AsyncGenerator<Found> {
  const { clock, log } = context;
  const adapter = new Adapter(address, clock, log);
  const heard = new Map<string, Heard>();
  let ignored = 0;
  const user = userOf(context, (report) => {
    if (heard.has(report.address) || heard.size < MAX_HEARD) note(heard, report, clock.monotonic());
    else ignored++;
  });
  adapter.join(user);
  try {
    await adapter.ready(signal);
    const end = clock.monotonic() + scanMs;
    while (clock.monotonic() < end) {
      await clock.sleep(Math.min(LOOK_MS, end - clock.monotonic()), signal);
      yield* settled(heard, address, clock.monotonic() - SETTLE_MS);
    }
    yield* settled(heard, address, Infinity);
    if (ignored > 0) log.warn('more devices than a search keeps', { kept: MAX_HEARD, ignored });
  } finally {
    adapter.leave(user);
  }
}

function userOf(context: MapperContext, heard: (report: Report) => void): AdapterUser {
  return {
    name: context.device,
    noble: undefined,
    dial: context.dial,
    keep: context.keep,
    hears: undefined,
    heard,
    lost: () => false,
  };
}

function note(heard: Map<string, Heard>, report: Report, nowMs: number): void {
  const { address, rssi, connectable, bytes } = report;
  const before = heard.get(address);
  const fresh = parseAdvertisement(Buffer.from(bytes));
  if (before === undefined) {
    heard.set(address, { sinceMs: nowMs, rssi, connectable, advertisement: fresh, told: false });
    return;
  }
  before.rssi = rssi;
  before.connectable ||= connectable;
  const { elements, services } = before.advertisement;
  const known = new Map([...elements, ...fresh.elements].map((each) => [each.key, each]));
  before.advertisement = {
    ...before.advertisement,
    ...fresh,
    elements: [...known.values()],
    services: [...new Set([...services, ...fresh.services])],
  };
}

function* settled(
  heard: Map<string, Heard>,
  address: AdapterAddress,
  beforeMs: number,
): Generator<Found> {
  const ready = [...heard].filter(([, each]) => !each.told && each.sinceMs <= beforeMs);
  for (const [peer, each] of ready.toSorted(([, a], [, b]) => b.rssi - a.rssi)) {
    each.told = true;
    yield found(peer, each, address);
  }
}

function found(address: string, heard: Heard, adapter: AdapterAddress): Found {
  const { advertisement, rssi, connectable } = heard;
  const format = formatOf(advertisement);
  const services = advertisement.services.map((uuid) => serviceName(uuid) ?? uuidText(uuid));
  const about = [
    advertisement.name,
    format?.model.description,
    services.length > 0 ? `services ${services.join(', ')}` : undefined,
    connectable ? 'connectable' : 'not connectable',
    rssi === 127 ? undefined : `${rssi} dBm`,
  ];
  return {
    name: nameFor(advertisement.name ?? format?.name, address),
    about: about.filter((part) => part !== undefined).join(', '),
    settings: { address, adapter: adapterText(adapter) },
    ...(format !== undefined && { model: format.model }),
  };
}

/** As settings name it. */
function adapterText({ name, dial }: AdapterAddress): string {
  const baud = /baud=(\d+)/.exec(dial ?? '')?.[1];
  return baud === undefined ? name : `${name}?baud=${baud}`;
}

function nameFor(name: string | undefined, address: string): string {
  const words = (name ?? 'ble').toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  const tail = address.replaceAll(':', '').slice(-6);
  return `${words.replaceAll(/^-+|-+$/g, '').slice(0, 50) || 'ble'}-${tail}`;
}

/** Connects, and lists what there is. */
async function look(
  address: string,
  search: Search,
  context: MapperContext,
  signal: AbortSignal,
): Promise<Found> {
  const settings = parsed({ ...search.settings, address });
  const adapters = settings.adapters.map((each) => new Adapter(each, context.clock, context.log));
  const device = new Device({ settings, context, adapters });
  try {
    await device.open(signal);
    const model = await device.attributes.use((linked) => modelOf(linked, signal), signal);
    return {
      name: nameFor(undefined, settings.address),
      about: `${model.properties.length} readable or writable characteristics`,
      settings: { ...search.settings, address: settings.address },
      model,
    };
  } finally {
    device.close();
  }
}

function parsed(given: object): Settings {
  const { scan: _, ...rest } = given as { scan?: unknown };
  const result = v.safeParse(schema, rest);
  if (result.success) return result.output;
  const faults = result.issues.map(({ message }) => message).join('; ');
  throw new Misconfigured('BLE_SETTINGS', faults);
}
