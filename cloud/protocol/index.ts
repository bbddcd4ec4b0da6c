/** `#protocol`: what both halves of Limpet import. */
export type {
  DesiredRow,
  DeviceRow,
  FromCloud,
  FromEdge,
  Id,
  PropertyRow,
  ResourceRow,
  StateRow,
  WantedResource,
  WantedRow,
} from './messages.ts';
export { PROTOCOL } from './messages.ts';
