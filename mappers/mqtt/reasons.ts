/** What a broker's refusals mean, as errors that say what to do. */
import { Garbled, Misconfigured, Refused, Unreachable, type DmiError } from '@limpet/dmi';
import type { Level } from './packets.ts';
import type { Properties } from './properties.ts';

interface Refusal {
  readonly level: Level;
  readonly code: number;
  readonly clientId: string;
  readonly address: string;
}

/** CONNACK of MQTT 3.1.1 (3.2.2.3) as the reason codes of MQTT 5 (3.2.2.2). */
const OLD_CODES: Readonly<Record<number, number>> = {
  1: 0x84,
  2: 0x85,
  3: 0x88,
  4: 0x86,
  5: 0x87,
};

/** Why the broker took no connection. What can be mended at the broker is tried again. */
export function refusal(found: Refusal, reason: string | undefined): DmiError {
  const { level, clientId, address } = found;
  const code = level === 5 ? found.code : (OLD_CODES[found.code] ?? found.code);
  const said = reason === undefined ? '' : `; it says: ${clip(reason)}`;
  const at = `the broker ${address}`;
  switch (code) {
    case 0x84:
      return new Misconfigured(
        'MQTT_VERSION',
        `${at} does not speak this version of MQTT: set version to ${level === 5 ? '3.1.1' : '5'}${said}`,
      );
    case 0x85:
      return new Misconfigured(
        'MQTT_CLIENT_ID',
        `${at} does not take the clientId ${clientId}: set another${said}`,
      );
    case 0x86:
    case 0x87:
      return new Unreachable(
        'MQTT_NOT_AUTHORIZED',
        `${at} refuses this user: check username and password, and what the broker allows${said}`,
      );
    default:
      return new Unreachable('MQTT_REFUSED', `${at} takes no connection now (code ${code})${said}`);
  }
}

/** Why a message was not taken. */
export function publishFault(code: number, topic: string): Refused {
  if (code === 0x10) {
    return new Refused('MQTT_NOBODY', `nobody listens to ${topic}: is the device connected?`);
  }
  const why = code === 0x87 ? 'it does not allow this user to' : `code ${code}`;
  return new Refused('MQTT_NOT_PUBLISHED', `the broker did not take what is for ${topic}: ${why}`);
}

/** Why the broker ends the connection; MQTT 5 only. */
export function disconnectFault(
  { code, properties }: { readonly code: number; readonly properties: Properties },
  address: string,
  clientId: string,
): DmiError {
  const said = properties.reason === undefined ? '' : `: ${clip(properties.reason)}`;
  if (code === 0x8e) {
    const message = `another client of ${address} took over the clientId ${clientId}: each needs its own`;
    return new Unreachable('MQTT_TAKEN_OVER', message);
  }
  const message = `the broker ${address} ended the connection with code ${code}${said}`;
  // 3.14.2.1: malformed, protocol error, packet too large: what we said was wrong for it.
  return [0x81, 0x82, 0x95].includes(code)
    ? new Garbled('MQTT_ENDED', message)
    : new Unreachable('MQTT_ENDED', message);
}

function clip(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
