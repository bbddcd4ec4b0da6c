/** `@limpet/dmi`: what a mapper author imports. */
export { DmiError, Garbled, Misconfigured, Refused, Unreachable } from './errors.ts';
export {
  type Clock,
  type Connection,
  defineMapper,
  type Log,
  type Mapper,
  type MapperContext,
  type MaybeLater,
  type PropertyShape,
  type Reading,
  type Sink,
  type Wish,
} from './mapper.ts';
export type { Schema, SchemaIssue, SchemaResult } from './standard-schema.ts';
export type { Json, PropertyType, Value } from './value.ts';
