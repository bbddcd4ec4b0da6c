/** What goes between a client and a broker, as the rest of the mapper sees it. */

/** The protocol level of CONNECT: 3.1.1 or 5. */
export type Level = 4 | 5;

/** A message as it came. Its payload is a view of what came in. */
export interface Publish {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retain: boolean;
  readonly dup: boolean;
  /** Bytes of a payload that was too large to be taken; else 0. */
  readonly skipped: number;
  readonly correlation?: Buffer;
}

/** A topic filter, and the highest QoS wanted of its messages. */
export interface Filter {
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
}

/** A message to be sent. */
export interface Message {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  /** MQTT 5 only. */
  readonly properties?: { readonly responseTopic?: string };
}
