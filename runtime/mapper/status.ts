/** What a node tells of one of its mappers. */
import { type MapperState, type Reason } from '@limpet/dmi/manifest';
import { type Hosting } from './manifest.ts';

export interface MapperStatus {
  readonly protocol: string;
  readonly version: string;
  readonly hosting: Hosting;
  readonly state: MapperState;
  /** Why it is not ready; of a ready one what it does wrong, why it ended before, or why a newer version did not take over. */
  readonly reason?: Reason;
  /** Starts after the first that were not wished for: after an exit, a hang, or too much memory. */
  readonly restarts: number;
  /** Wall-clock time, ms since 1970, at which `state` began. */
  readonly sinceMs: number;
  readonly pid?: number;
  /** Private memory that its process may have; inline it counts as the core's. */
  readonly budgetBytes?: number;
  /** It comes with Limpet, and no device has needed it yet: nothing is set aside for it. */
  readonly standby?: true;
  readonly importance: number;
  /** Readings that it replaced by later ones because the core was slow. */
  readonly superseded: number;
  /** The last lines that it printed before it ended. */
  readonly lines?: readonly string[];
}
