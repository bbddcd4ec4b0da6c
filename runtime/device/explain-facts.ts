/** What is known of one property when somebody asks why its value is as it is, and the words for it (pure). */
import {
  type Desired,
  type Finding,
  type Property,
  type Reason,
  type Reported,
} from '@limpet/dmi/manifest';
import { type PortQueue } from './seat.ts';
import { type Condition } from './store-door.ts';

/** Times in ms since 1970. */
export interface PropertyFacts {
  readonly nowMs: number;
  readonly device: string;
  /** As its model declares it; the model can be missing. */
  readonly property?: Property | undefined;
  readonly condition?: Condition | undefined;
  readonly reported?: Reported<number> | undefined;
  readonly desired?: Desired<number> | undefined;
  readonly life: LifeFacts;
}

/** What the runtime does with the device now. */
export interface LifeFacts {
  /** `resting`: left alone after a failure. `idle`: until a manifest changes. */
  readonly doing: 'trying' | 'reading' | 'resting' | 'idle';
  /** Failures since the last success. */
  readonly attempts: number;
  /** Of `resting`: when it is tried next; absent when that depends on others of its port. */
  readonly untilMs?: number | undefined;
  /** Everything was read once on this connection. */
  readonly settled: boolean;
  readonly everyMs?: number | undefined;
  /** Absent when the device tells it by itself. */
  readonly nextMs?: number | undefined;
  readonly readMs?: number | undefined;
  /** The number that was read last, where the property has a deadband. */
  readonly raw?: number | undefined;
  readonly port?: PortQueue | undefined;
}

export type Found = Finding<number>;

/** Of reasons that say that not the device but what speaks its protocol is at fault. */
export function ofMapper({ code }: Reason): boolean {
  return code.startsWith('MAPPER_');
}

/** Who holds up the device at its port, if anybody does; to put at the end of a sentence. */
export function held({ life: { port }, device }: PropertyFacts): string {
  if (port === undefined || !port.shared || port.holder === undefined) return '';
  if (port.holder === device) return ` (its turn at ${port.port} has lasted ${age(port.heldMs)})`;
  const ahead = port.ahead === undefined ? '' : `; ${port.ahead} turns come before its own`;
  return ` at ${port.port}, which ${port.holder} has held for ${age(port.heldMs)}${ahead}`;
}

/** Members of a finding that are only there when they are known. */
export function when(times: {
  readonly code?: string | undefined;
  readonly since?: number | undefined;
  readonly until?: number | undefined;
}): Pick<Found, 'code' | 'since' | 'until'> {
  const { code, since, until } = times;
  return {
    ...(code !== undefined && { code }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
  };
}

export function times(attempts: number): string {
  return attempts <= 1 ? '1 attempt' : `${attempts} attempts`;
}

/** A duration in one unit: `250 ms`, `12 s`, `5 min`, `3 h`. */
export function age(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`;
}

/** A value in a sentence. */
export function valueText(value: unknown, unit?: string): string {
  const written = JSON.stringify(value);
  const short = written.length > 60 ? `${written.slice(0, 60)}…` : written;
  return unit === undefined ? short : `${short} ${unit}`;
}
