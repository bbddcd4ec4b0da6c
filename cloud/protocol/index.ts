/** `#protocol`: what both halves of Limpet import. */
export type {
  DesiredRow,
  DeviceRow,
  FromCloud,
  FromEdge,
  Id,
  PastCursor,
  PastItem,
  PastPage,
  PropertyRow,
  ResourceRow,
  SeriesPast,
  StateRow,
  WantedResource,
  WantedRow,
} from './messages.ts';
export { PROTOCOL } from './messages.ts';
