/** `@limpet/dmi/manifest`: resources, their status, and the checks that both halves and the CLI share. */
export type {
  Desired,
  DeviceState,
  DeviceStatus,
  NodeFacts,
  NodeStatus,
  PropertyTwin,
  Quality,
  Reason,
  Reported,
  Stages,
  Verdict,
} from './status.ts';
export {
  API_VERSION,
  type Device,
  type DeviceModel,
  type Kind,
  type Metadata,
  type Node,
  type Property,
  type Resource,
} from './resource.ts';
export { type Issuer, nextRev } from './rev.ts';
export type {
  DesiredRow,
  DeviceRow,
  Id,
  PropertyRow,
  ResourceRow,
  StateRow,
  WantedResource,
  WantedRow,
} from './rows.ts';
