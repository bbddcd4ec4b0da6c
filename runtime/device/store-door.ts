/** What devices need of the twin store; declared here, by its consumer. */
import { type Json } from '@limpet/dmi';
import {
  type Device,
  type DeviceModel,
  type DeviceState,
  type Id,
  type PropertyTwin,
  type Reason,
  type Reported,
  type Verdict,
} from '@limpet/dmi/manifest';

/** How a device fares. */
export interface Condition {
  readonly state: DeviceState;
  readonly reason?: Reason;
  /** ms since 1970. */
  readonly lastSeen?: number;
}

/** How far an order got. Times in ms since 1970. */
interface OrderStep {
  readonly sent?: number;
  readonly confirmed?: number;
  readonly verdict?: Verdict;
  readonly reason?: Reason;
  readonly readBack?: Json;
}

export type StoreChange =
  | {
      readonly kind: 'property';
      readonly what: 'reported' | 'desired';
      readonly device: Id;
      readonly property: string;
    }
  | { readonly kind: 'device' }
  | { readonly kind: 'resource'; readonly type: 'Device' | 'DeviceModel'; readonly id: Id };

export interface DeviceStore {
  devices(): readonly Id[];
  device(id: Id): Device | undefined;
  model(id: Id): DeviceModel | undefined;
  twin(device: Id):
    | {
        readonly condition: Condition;
        readonly properties: ReadonlyMap<string, PropertyTwin<number>>;
      }
    | undefined;
  report(device: Id, reported: ReadonlyMap<string, Reported<number>>): void;
  condition(device: Id, condition: Condition): void;
  judge(device: Id, property: string, rev: number, step: OrderStep): void;
  deadline(device: Id, property: string): number | undefined;
  readBack(device: Id, property: string): Json | undefined;
  onChange(listener: (change: StoreChange) => void): () => void;
}
