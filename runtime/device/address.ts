/** The addresses a mapper may dial: `tcp://HOST:PORT` and `serial:PATH?baud=19200&parity=even` (pure). */
import { Misconfigured } from '@limpet/dmi';

export interface TcpAddress {
  readonly kind: 'tcp';
  readonly host: string;
  readonly port: number;
}

export interface SerialAddress {
  readonly kind: 'serial';
  readonly path: string;
  readonly baud: number;
  readonly parity: 'none' | 'even' | 'odd';
  readonly dataBits: 5 | 6 | 7 | 8;
  readonly stopBits: 1 | 2;
}

export type Address = TcpAddress | SerialAddress;

const LINE = {
  parity: ['none', 'even', 'odd'],
  databits: ['8', '7', '6', '5'],
  stopbits: ['1', '2'],
} as const;

/** @throws Misconfigured PORT_ADDRESS, with every fault */
export function parseAddress(text: string): Address {
  if (text.startsWith('tcp://')) return parseTcp(text);
  if (text.startsWith('serial:')) return parseSerial(text);
  throw wrong(text, ['it must begin with tcp:// or serial:']);
}

/** The line settings, as a person reads them: `19200 baud, parity even, 8 data bits, 1 stop bit`. */
export function lineSettings(address: SerialAddress): string {
  const { baud, parity, dataBits, stopBits } = address;
  return `${baud} baud, parity ${parity}, ${dataBits} data bits, ${stopBits} stop bit${stopBits === 1 ? '' : 's'}`;
}

/** What two addresses of one wire have in common. */
export function wireKey(address: Address): string {
  return address.kind === 'tcp'
    ? `tcp://${address.host}:${address.port}`
    : `serial:${address.path}`;
}

function parseTcp(text: string): TcpAddress {
  // An IPv6 address stands in brackets.
  const match = /^tcp:\/\/(?:\[([0-9a-fA-F:.]+)\]|([^\s:/?#@[\]]+)):(\d{1,5})\/?$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || port < 1 || port > 65_535) {
    throw wrong(text, ['it must be tcp://HOST:PORT with a port from 1 to 65535']);
  }
  return { kind: 'tcp', host: host.toLowerCase(), port };
}

function parseSerial(text: string): SerialAddress {
  const [path = '', query = ''] = text.slice('serial:'.length).split('?', 2);
  const faults: string[] = [];
  if (!/^\/[^\0]+$/.test(path)) {
    faults.push('the path must be absolute, such as serial:/dev/ttyUSB0');
  }
  const given = new URLSearchParams(query);
  const known = ['baud', ...Object.keys(LINE)];
  for (const name of given.keys()) {
    if (!known.includes(name)) faults.push(`"${name}" is not one of ${known.join(', ')}`);
  }
  const baud = Number(given.get('baud') ?? 9600);
  if (!Number.isInteger(baud) || baud < 50 || baud > 4_000_000) {
    faults.push('baud must be a whole number from 50 to 4000000');
  }
  const choose = (name: keyof typeof LINE): string => {
    const [standard, ...others] = LINE[name];
    const value = given.get(name) ?? standard;
    const all: readonly string[] = [standard, ...others];
    if (!all.includes(value)) faults.push(`${name} must be one of ${all.join(', ')}`);
    return value;
  };
  const line = {
    parity: choose('parity') as SerialAddress['parity'],
    dataBits: Number(choose('databits')) as SerialAddress['dataBits'],
    stopBits: Number(choose('stopbits')) as SerialAddress['stopBits'],
  };
  if (faults.length > 0) throw wrong(text, faults);
  return { kind: 'serial', path, baud, ...line };
}

function wrong(text: string, faults: readonly string[]): Misconfigured {
  // No userinfo is legal here, so one that was given must not reach a log.
  const shown = text.replace(/\/\/[^/]*@/, '//***@').slice(0, 200);
  return new Misconfigured('PORT_ADDRESS', `cannot dial "${shown}": ${faults.join('; ')}`);
}
