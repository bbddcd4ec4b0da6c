/** `@limpet/dmi/manifest`: resources, their status, and the checks that both halves and the CLI share. */
export type { CapturedEvent, CaptureDoor, CapturePage } from './capture.ts';
export {
  type ArgumentFault,
  type Arguments,
  CALL_TIMEOUT_MS,
  type CallDoor,
  type CallFailure,
  type CallOutcome,
  checkCall,
  MAX_CALL_BYTES,
  MAX_CALL_TIMEOUT_MS,
} from './call.ts';
export { checkMethods, checkSettings, checkVisitors } from './check-mapper-parts.ts';
export { checkResource, idOf } from './check-resource.ts';
export { duration, formatDuration } from './duration.ts';
export { type Fault, faultsOf, formatFaults, type Position } from './fault.ts';
export { isJson, jsonFault } from './json.ts';
export type { LinkLoad, LoadDoor, NodeLoad, PortLoad } from './load.ts';
export { nearest, suggestion } from './nearest.ts';
export { checkDocument, type Located, parseManifests } from './parse.ts';
export { formatQuantity, parseQuantity, quantity } from './quantity.ts';
export { exact, must, oneOf, text } from './schema.ts';
export {
  type BudgetRow,
  type Desired,
  type DeviceState,
  type DeviceStatus,
  MAPPER_STATES,
  type MapperFacts,
  type MapperState,
  type NodeBudget,
  type NodeFacts,
  type NodeStatus,
  type PropertyTwin,
  type Quality,
  type Reason,
  type Reported,
  type ShedStep,
  type Stages,
  type Verdict,
} from './status.ts';
export {
  API_VERSION,
  type Device,
  type DeviceModel,
  type FieldOwner,
  type Kind,
  type Metadata,
  type Node,
  type Method,
  type MethodArgument,
  type Property,
  type Resource,
  type Rollout,
} from './resource.ts';
export { type Issuer, nextRev } from './rev.ts';
export type {
  OutcomeState,
  RolloutCounts,
  RolloutOutcome,
  RolloutPhase,
  RolloutPreview,
  RolloutSpec,
  RolloutStatus,
} from './rollout.ts';
export type {
  DesiredRow,
  DeviceRow,
  Id,
  PropertyRow,
  ResourceRow,
  PastCursor,
  PastItem,
  PastPage,
  SeriesPast,
  StateRow,
  WantedResource,
  WantedRow,
} from './rows.ts';
export {
  type CheckedValue,
  checkOrder,
  checkValue,
  MAX_VALUE_BYTES,
  type ValueCode,
} from './value-check.ts';
export type { ExplainDoor, Explanation, Finding, Hop, OrderWhy, WhyStage } from './why.ts';
export { locateAll } from './yaml.ts';
