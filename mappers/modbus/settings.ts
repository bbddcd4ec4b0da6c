/** How a Modbus device is reached: what a manifest's `settings` may say, checked once and made explicit. */
import { duration, range, told, unknownField } from '@limpet/dmi/schema';
import * as v from 'valibot';

/** A line's parameters, as far as they govern timing. */
export interface Line {
  readonly baud: number;
  /** Start, data, parity and stop bits of one character. */
  readonly bits: number;
}

/** Settings after validation. */
export interface Settings {
  readonly framing: 'tcp' | 'rtu';
  /** What `context.dial` is asked for. */
  readonly dial: string;
  /** The bus that is shared: host and port, or the line's path. */
  readonly port: string;
  /** Absent where the framing does not run over a serial line that we know the speed of. */
  readonly line?: Line;
  readonly unit: number;
  readonly timeoutMs: number;
  readonly gap: number;
  readonly maxRegisters: number;
  readonly maxBits: number;
  readonly pauseMs: number;
  readonly write: 'auto' | 'single' | 'multiple';
}

type Target = Pick<Settings, 'framing' | 'dial' | 'port' | 'line'>;

const ADDRESS_HINT =
  'expected tcp://HOST[:502], rtu:///dev/ttyUSB0?baud=19200&parity=even or rtu+tcp://HOST:PORT';
const address = v.pipe(
  v.string(ADDRESS_HINT),
  v.rawTransform<string, Target>(({ dataset, addIssue, NEVER }) => {
    const target = parseAddress(dataset.value);
    if (typeof target !== 'string') return target;
    addIssue({ message: target });
    return NEVER;
  }),
);

/** The schema of a Modbus device's settings. */
export const settings = v.pipe(
  v.strictObject(
    {
      address: told(
        address,
        'where it is: Modbus TCP, a serial line, or RTU frames over TCP',
        'tcp://10.0.0.5:502',
        'rtu:///dev/ttyUSB0?baud=19200&parity=even',
        'rtu+tcp://10.0.0.5:4001',
      ),
      unit: v.optional(
        told(range(0, 255), 'its number; 0 on a line is every device: write only', 1, 17),
        1,
      ),
      timeout: v.optional(
        told(duration('1ms', '60s'), 'how long an answer may take', '500ms', '2s'),
        '1s',
      ),
      gap: v.optional(
        told(range(0, 124), 'registers read over to save a request; of bits 16 times as many'),
        8,
      ),
      maxRegisters: v.optional(told(range(1, 125), 'what one request may ask for'), 125),
      maxBits: v.optional(told(range(1, 2000), 'the same for coils and discrete inputs'), 2000),
      pause: v.optional(told(duration('0ms', '10s'), 'silence before each request', '20ms'), '0ms'),
      write: v.optional(
        told(
          v.picklist(['auto', 'single', 'multiple'], 'expected auto, single or multiple'),
          'single: only functions 5 and 6, multiple: only 15 and 16',
        ),
        'auto',
      ),
    },
    unknownField(
      'address, unit, timeout, gap, maxRegisters, maxBits, pause, write',
      `address: required; ${ADDRESS_HINT}`,
    ),
  ),
  v.forward(
    v.check(
      ({ address, unit }) => unit <= 247 || (unit === 255 && address.framing === 'tcp'),
      'expected 0 to 247, or 255 over tcp://',
    ),
    ['unit'],
  ),
  v.transform(({ address, timeout, pause, ...rest }): Settings => ({
    ...address,
    ...rest,
    timeoutMs: timeout,
    pauseMs: pause,
  })),
);

/** The target, or a sentence saying what is wrong with the address. */
function parseAddress(text: string): Target | string {
  const [, scheme, rest] = /^(tcp|rtu|rtu\+tcp):\/\/([^\s]+)$/.exec(text) ?? [];
  if (scheme === undefined || rest === undefined) return ADDRESS_HINT;
  return scheme === 'rtu' ? serialTarget(rest) : tcpTarget(scheme, rest);
}

function tcpTarget(scheme: string, rest: string): Target | string {
  const [, host, digits] = /^(\[[0-9a-fA-F:.]+\]|[^/:?#@[\]]+)(?::(\d{1,5}))?$/.exec(rest) ?? [];
  if (host === undefined) return `not a host and port: ${ADDRESS_HINT}`;
  if (digits === undefined && scheme === 'rtu+tcp')
    return 'rtu+tcp:// needs a port: rtu+tcp://HOST:PORT';
  const port = Number(digits ?? 502);
  if (port < 1 || port > 65_535) return 'expected a port from 1 to 65535';
  const target = `tcp://${host}:${port}`;
  return { framing: scheme === 'tcp' ? 'tcp' : 'rtu', dial: target, port: target };
}

const LINE_FIELDS: Readonly<Record<string, RegExp>> = {
  baud: /^[1-9]\d{2,6}$/,
  parity: /^(none|even|odd)$/,
  databits: /^8$/, // Modbus over serial line V1.02, §2.5.1: RTU characters have 8 data bits
  stopbits: /^[12]$/,
};

function serialTarget(rest: string): Target | string {
  const [path = '', query = ''] = rest.split('?', 2);
  if (path === '' || path === '/') return 'rtu:// needs a path: rtu:///dev/ttyUSB0';
  const fields = new Map([
    ['baud', '19200'],
    ['parity', 'even'],
    ['databits', '8'],
    ['stopbits', '1'],
  ]);
  for (const [name, value] of new URLSearchParams(query)) {
    const allowed = LINE_FIELDS[name];
    if (allowed === undefined)
      return `unknown line parameter ${name}; known are ${[...fields.keys()].join(', ')}`;
    if (!allowed.test(value))
      return `${name} is not one of baud=300..4000000, parity=none|even|odd, databits=8, stopbits=1|2`;
    fields.set(name, value);
  }
  const parity = fields.get('parity') === 'none' ? 0 : 1;
  return {
    framing: 'rtu',
    dial: `serial:${path}?${[...fields].map(([name, value]) => `${name}=${value}`).join('&')}`,
    port: `serial:${path}`,
    line: { baud: Number(fields.get('baud')), bits: 9 + parity + Number(fields.get('stopbits')) },
  };
}
