/** What a device's attributes are (Core Specification, Vol 3 Part G, 3). */
import type { Range } from './att.ts';

/** A service, and the attributes that it spans. */
export interface Service extends Range {
  readonly uuid: string;
}

export interface Characteristic {
  readonly uuid: string;
  /** Of its value. */
  readonly handle: number;
  /** The last attribute that belongs to it. */
  readonly last: number;
  /** Bits of {@link PROPERTY}. */
  readonly properties: number;
}

export interface Descriptor {
  readonly uuid: string;
  readonly handle: number;
}

/** 3.3.1.1 */
export const PROPERTY = { read: 2, command: 4, write: 8, notify: 16, indicate: 32 } as const;
