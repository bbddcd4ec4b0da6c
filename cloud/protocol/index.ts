/** `#protocol`: what both halves of Limpet import. */
export type {
  Asked,
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
  Told,
  WantedResource,
  WantedRow,
} from './messages.ts';
export { PROTOCOL } from './messages.ts';
