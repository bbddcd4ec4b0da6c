/** What the bench measures: one configuration of one program, and how it is started, asked and stopped. */
import type { Child } from '../../rig/child.ts';
import type { Registers } from '../../rig/registers.ts';
import type { Cgroup } from './cgroup.ts';

export const DEVICES = 10;
export const PER_DEVICE = 100;
export const PROPERTIES = DEVICES * PER_DEVICE;

/** In the order of the columns. */
export const KEYS = ['unlimited', 'limited', 'process', 'node-red'] as const;

export type Key = (typeof KEYS)[number];

/** This machine lacks what a configuration needs; the message says what. */
export class Impossible extends Error {}

export interface Subject {
  readonly key: Key;
  /** What it polls: its own, so that its reads can be counted. */
  readonly registers: Registers;
  /** The bus its values appear on. */
  readonly busPort: number;
  /** The topics of its values. */
  readonly filter: string;
  /** What its memory is charged to; undefined where this machine offers no cgroup. */
  readonly cgroup: Cgroup | undefined;
  /** The process that runs now. */
  readonly child: Child | undefined;
  /** Whether it can be measured without devices, on a bus of its own. */
  readonly whole: boolean;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Gives it its devices; it is running. Kept over restarts. */
  declare(): Promise<void>;
  /** How many of its values, where they are wanted, differ from the registers; undefined when nowhere. */
  wrong(): Promise<number | undefined>;
  /** Stops and removes everything that belongs to it. */
  close(): Promise<void>;
}
