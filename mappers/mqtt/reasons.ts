/** What a broker's refusals mean, as errors that say what to do. */
import { Garbled, Misconfigured, Refused, Unreachable, type DmiError } from '@limpet/dmi';
import type { IConnackPacket, IDisconnectPacket } from 'mqtt';
import type { Level } from './messages.ts';

interface Conversation {
  readonly level: Level;
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

/** Why the broker takes no connection, or ends it, if that is what this says. */
export function faultIn(
  packet: IConnackPacket | IDisconnectPacket,
  conversation: Conversation,
): DmiError | undefined {
  const reason = packet.properties?.reasonString;
  const { reasonCode = 0 } = packet;
  if (packet.cmd === 'disconnect') return disconnectFault(reasonCode, reason, conversation);
  const code = packet.returnCode ?? reasonCode;
  return code === 0 ? undefined : refusal(code, reason, conversation);
}

/** What can be mended at the broker is tried again. */
function refusal(
  given: number,
  reason: string | undefined,
  { level, clientId, address }: Conversation,
): DmiError {
  // A broker that knows no MQTT 5 answers in its own words.
  const code = OLD_CODES[given] ?? given;
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

/** In MQTT 3.1.1 a broker says no DISCONNECT. */
function disconnectFault(
  code: number,
  reason: string | undefined,
  { level, clientId, address }: Conversation,
): DmiError {
  if (level === 4) return new Garbled('MQTT_PACKET', `a DISCONNECT from the broker ${address}`);
  const said = reason === undefined ? '' : `: ${clip(reason)}`;
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
