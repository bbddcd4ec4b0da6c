/** What a client says of itself to a broker when it connects, in the words of the library. */
import type { IClientOptions } from 'mqtt';
import type { Level } from './messages.ts';

export interface ClientOptions {
  readonly level: Level;
  readonly clientId: string;
  readonly username?: string;
  readonly password?: string;
  readonly keepaliveSeconds: number;
  /** Begin afresh: nothing is kept of an earlier session. */
  readonly clean: boolean;
  /** How long the broker keeps the session after the connection ended; MQTT 5 only. */
  readonly expirySeconds: number;
  /** The largest packet that is taken; told to a broker of MQTT 5. */
  readonly maximumPacket: number;
  /** How long the broker may take for an answer. */
  readonly timeoutMs: number;
}

/** At most so many messages of QoS 1 and 2 may be under way to us; MQTT 5 only. */
const RECEIVE_MAXIMUM = 100;

export function sessionOf(options: ClientOptions): IClientOptions {
  const { level, clientId, username, password, keepaliveSeconds, clean } = options;
  const properties = {
    sessionExpiryInterval: options.expirySeconds,
    receiveMaximum: RECEIVE_MAXIMUM,
    maximumPacketSize: options.maximumPacket,
  };
  return {
    protocolVersion: level,
    clientId,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    keepalive: keepaliveSeconds,
    clean,
    ...(level === 5 && { properties }),
  };
}
