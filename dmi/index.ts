/** `@limpet/dmi`: what a mapper author imports. */
export type { Found, Search, Suggested, SuggestedModel } from './discovery.ts';
export { DmiError, Garbled, Misconfigured, Refused, Unreachable } from './errors.ts';
export {
  type Argument,
  type Clock,
  type Connection,
  type Away,
  defineMapper,
  type Log,
  type Mapper,
  type MapperContext,
  type MaybeLater,
  type MethodShape,
  type PropertyShape,
  type Reading,
  type Sink,
  type Order,
  type Wish,
} from './mapper.ts';
export {
  defineSimulator,
  type SimulatedDevice,
  type SimulatedMethod,
  type SimulatedProperty,
  type Simulator,
} from './simulator.ts';
export type { Schema, SchemaIssue, SchemaResult } from './standard-schema.ts';
export type { Json, PropertyType, Value } from './value.ts';
export { unlessAborted } from './unless-aborted.ts';
