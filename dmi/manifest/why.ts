/** Why a value is as it is: where on its way from the device to the cloud it stopped, with times and what to do. */
import type { Json } from '../value.ts';
import type { Reported, Stages, Verdict } from './status.ts';

/**
 * In the order of the way. `manifest`: what is declared keeps it from being read. `breaker`: the runtime gave the
 * device a pause. `port`: it waits for its turn. `schedule`: not due yet. `deadband`: it moved by less than is
 * reported. `conversion`: its type or limits. `queue`: its row waits to be sent. `none`: nothing is wrong.
 */
export type WhyStage =
  | 'manifest'
  | 'mapper'
  | 'device'
  | 'breaker'
  | 'port'
  | 'schedule'
  | 'deadband'
  | 'conversion'
  | 'queue'
  | 'link'
  | 'cloud'
  | 'none';

/** One thing that keeps a newer value, or an order, from going on; or why there is no newer one. */
export interface Finding<Time = string> {
  readonly stage: WhyStage;
  /** `stops`: nothing gets past this. `explains`: it is meant to be so. */
  readonly effect: 'stops' | 'explains';
  /** The code of the reason behind it, where there is one. */
  readonly code?: string;
  readonly message: string;
  readonly todo?: string;
  readonly since?: Time;
  /** When it is over, or tried next. */
  readonly until?: Time;
}

/** One hop that the value on show has behind it. `by`: at this time or before. */
export interface Hop<Time = string> {
  readonly hop: 'read' | 'reported' | 'sent' | 'acknowledged' | 'mirrored';
  readonly at: Time;
  readonly by?: true;
}

/** An order, how far it got, and where it waits. */
export interface OrderWhy<Time = string> {
  readonly value: Json;
  readonly rev: number;
  readonly verdict: Verdict;
  readonly stages: Stages<Time>;
  readonly expires?: Time;
  /** Absent when there is nothing to say: it was confirmed, and is so. */
  readonly finding?: Finding<Time>;
}

/** Explains a property of a device that is known here, from what is in memory; `undefined` for another. */
export type ExplainDoor = (device: string, property: string) => Explanation | undefined;

/** Times are of the clock of `from`. The first finding is the answer; the others are true as well. */
export interface Explanation<Time = string> {
  readonly device: string;
  readonly property: string;
  /** Who knew: the device's edge, or the cloud alone because that is away. */
  readonly from: 'edge' | 'cloud';
  readonly now: Time;
  readonly unit?: string;
  readonly reported?: Reported<Time>;
  readonly findings: readonly Finding<Time>[];
  readonly hops: readonly Hop<Time>[];
  readonly order?: OrderWhy<Time>;
}
