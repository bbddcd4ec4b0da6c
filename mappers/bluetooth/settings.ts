/** How a Bluetooth device is reached: what a manifest's `settings` may say, checked once and made explicit. */
import { duration, range, told, unknownField } from '@limpet/dmi/schema';
import * as v from 'valibot';
import type { Package } from './radio/noble.ts';

/** One adapter. */
export interface AdapterAddress {
  /** As it was given, for messages and as its name. */
  readonly name: string;
  /** The number of an adapter of the kernel. */
  readonly device?: number;
  /** What `context.dial` is asked for. */
  readonly dial?: string;
}

/** Settings after validation. */
export interface Settings {
  /** Lower case with colons. */
  readonly address: string;
  /** `undefined`: as it advertises. */
  readonly random: boolean | undefined;
  /** The device is reached through the one of them that hears it best. */
  readonly adapters: readonly AdapterAddress[];
  /** How long it is listened for, and how long a connection may take in all. */
  readonly timeoutMs: number;
  /** How long a device that advertises may be silent. */
  readonly silenceMs: number;
  /** How long an answer of a connected device may take. */
  readonly answerMs: number;
  /** How long a link may be without any packet. */
  readonly supervisionMs: number;
  /** How long a link stays after it was last used, if nobody waits for its slot. */
  readonly keepMs: number;
  /** Connections that an adapter has at once, at most. */
  readonly slots: number;
  readonly pairs: boolean;
  readonly noble: Package | undefined;
}

const ADDRESS_HINT = 'expected six bytes in hexadecimal, in quotes, such as "c4:7c:8d:6a:12:34"';
const ADAPTER_HINT = 'expected hci0 or uart:/dev/ttyS1?baud=1000000, or a list of them';
const KNOWN =
  'address, addressType, adapter, timeout, silence, answer, supervision, keep, slots, pair, noble';
const DEFAULT_ADAPTER = 'hci0';
const MAX_ADAPTERS = 4;

const adapter = v.pipe(
  v.string(ADAPTER_HINT),
  v.rawTransform<string, AdapterAddress>(({ dataset, addIssue, NEVER }) => {
    const parsed = parseAdapter(dataset.value);
    if (typeof parsed !== 'string') return parsed;
    addIssue({ message: parsed });
    return NEVER;
  }),
);

const fields = v.strictObject(
  {
    address: told(
      v.pipe(
        v.string(ADDRESS_HINT),
        v.regex(/^[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}$/, ADDRESS_HINT),
        v.transform((text) => text.toLowerCase().replaceAll('-', ':')),
      ),
      'of the device, in quotes',
      'c4:7c:8d:6a:12:34',
    ),
    addressType: v.optional(
      told(
        v.picklist(['auto', 'public', 'random'], 'expected auto, public or random'),
        'auto: as it advertises',
      ),
      'auto',
    ),
    adapter: v.optional(
      told(
        v.union(
          [
            adapter,
            v.pipe(v.array(adapter), v.minLength(1, ADAPTER_HINT), v.maxLength(MAX_ADAPTERS)),
          ],
          ADAPTER_HINT,
        ),
        'the adapter, or a list: the one that hears it best is used',
        'hci0',
        'uart:/dev/ttyS1?baud=1000000',
      ),
      DEFAULT_ADAPTER,
    ),
    // The runtime gives a call ten seconds.
    timeout: v.optional(
      told(duration('1s', '9s'), 'how long it is listened for, and a connection may take'),
      '8s',
    ),
    silence: v.optional(
      told(duration('1s', '24h'), 'how long a device that advertises may be silent'),
      '5m',
    ),
    answer: v.optional(
      told(duration('100ms', '9s'), 'how long an answer of a connected device may take'),
      '4s',
    ),
    // Core Specification, Vol 4 Part E, 7.8.12: 100 ms to 32 s.
    supervision: v.optional(
      told(duration('500ms', '32s'), 'how long a link may be without any packet'),
      '4s',
    ),
    keep: v.optional(told(duration('0s', '1h'), 'how long a link stays that nobody uses'), '5s'),
    slots: v.optional(told(range(1, 16), 'connections that an adapter has at once'), 3),
    pair: v.optional(
      told(
        v.picklist(
          ['none', 'justWorks'],
          'expected none or justWorks: with a code, by number comparison or out of band this library cannot pair, nor keep a bond',
        ),
        'justWorks: the link is encrypted',
      ),
      'none',
    ),
    noble: v.optional(
      told(
        v.picklist(['stoprocent', 'abandonware'], 'expected stoprocent or abandonware'),
        'the library for the radio; default: what is installed',
      ),
    ),
  },
  unknownField(KNOWN, `address: required; ${ADDRESS_HINT}`),
);

/** The schema of a Bluetooth device's settings. */
export const settings = v.pipe(
  fields,
  v.transform((given): Settings => ({
    address: given.address,
    random: given.addressType === 'auto' ? undefined : given.addressType === 'random',
    adapters: [given.adapter].flat(),
    timeoutMs: given.timeout,
    silenceMs: given.silence,
    answerMs: given.answer,
    supervisionMs: given.supervision,
    keepMs: given.keep,
    slots: given.slots,
    pairs: given.pair === 'justWorks',
    noble: given.noble,
  })),
);

/** The adapter, or a sentence saying what is wrong with its name. */
export function parseAdapter(text: string): AdapterAddress | string {
  const [, number] = /^hci(\d{1,2})$/.exec(text) ?? [];
  if (number !== undefined) return { name: text, device: Number(number) };
  const [, path, query = ''] = /^uart:(\/[^?\s]+)(?:\?(\S*))?$/.exec(text) ?? [];
  if (path === undefined) return `not an adapter: ${ADAPTER_HINT}`;
  const given = new URLSearchParams(query);
  for (const name of given.keys()) {
    if (name !== 'baud') return `unknown line parameter ${name}; known is baud`;
  }
  const baud = Number(given.get('baud') ?? 1_000_000);
  if (!Number.isInteger(baud) || baud < 9600 || baud > 4_000_000)
    return 'baud: expected a whole number from 9600 to 4000000';
  return {
    name: `uart:${path}`,
    dial: `serial:${path}?baud=${baud}&parity=none&databits=8&stopbits=1`,
  };
}
