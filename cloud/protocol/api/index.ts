/** `#protocol/api`: the Kubernetes-shaped API, for whoever serves it (cloud, edge) or asks it (CLI). */
export type {
  Awaitable,
  Backend,
  Changes,
  Document,
  Edit,
  Key,
  Listed,
  Page,
  Query,
  Reach,
  RemoveOptions,
  SampleList,
  SamplesQuery,
  Sight,
  Target,
  WriteOptions,
} from './backend.ts';
export { keyOf } from './backend.ts';
export { creation, merging, ordersOf, replacement } from './edits.ts';
export { GROUP, GROUP_VERSION, type KindNames, KINDS, kindOfPlural } from './kinds.ts';
export type { Bucket, PastGap, PastSample } from './buckets.ts';
export { answerPast, type PastSource, type PastTime } from './past.ts';
export { mergePatch } from './merge-patch.ts';
export type { OutcomeList, OutcomeQuery, Outcomes } from './outcomes.ts';
export {
  type FieldRequirement,
  type LabelRequirement,
  type SelectableField,
  type Selection,
  selects,
} from './selector.ts';
export {
  alreadyExists,
  ApiError,
  badRequest,
  type Cause,
  conflict,
  expired,
  invalid,
  methodNotAllowed,
  notFound,
  type Status,
  type StatusDetails,
  type StatusReason,
  tooManyRequests,
} from './status.ts';
export { type Access, ApiFront, type FrontCounts, type FrontOptions } from './http.ts';
export type { Files, StaticFile } from './files.ts';
export { statusError } from './answer.ts';
export { nameForRollout } from './rollout-name.ts';
export type { QueryAnswer, QueryAsked, QueryPlan, QueryResult, SlowQueries } from './query.ts';
export { type FrontLimits, SERVER_OPTIONS } from './limits.ts';
export { bearerToken, tokenCheck } from './tokens.ts';
export { noDevice, noProperty, type Why } from './why.ts';
export type { Bookmark, WatchEvent } from './watch-events.ts';
export {
  ApiClient,
  type ApiClientOptions,
  ApiUnreachable,
  type Select,
  type WatchSelect,
} from './client.ts';
export type {
  ResetReason,
  RowKey,
  StandingAsked,
  StandingDoor,
  StandingEvent,
  StandingReader,
} from './standing.ts';
export { HeldRows, type HeldRow, type RowChange } from './held-rows.ts';
export { standingAsked } from './standing-events.ts';
export { QUERY_PATH } from './standing-text.ts';
export { followRows, type RowsStep } from './follow-rows.ts';
