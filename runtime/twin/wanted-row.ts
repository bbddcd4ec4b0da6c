/** Whether a row from outside can be stored at all: only what the store itself leans on, no check of the manifest. */
import { type WantedRow } from '@limpet/dmi/manifest';

const ID = /^[^/\s]{1,253}\/[^/\s]{1,253}$/;
/** Revs are half-microseconds of wall time; one from beyond the year 2100 would stop the clock for good. */
const MAX_REV = Date.UTC(2100) * 2_000;

/** What is wrong with the row, for the log; `undefined` when it can be stored. */
export function rowFault(row: WantedRow): string | undefined {
  if (!isObject(row)) return 'the row is not an object';
  if (!isTime(row.rev) || row.rev === 0 || row.rev > MAX_REV) {
    return 'rev must be a positive integer from before the year 2100';
  }
  switch (row.kind) {
    case 'resource':
      return resourceFault(row as unknown as Record<string, unknown>);
    case 'desired':
      return desiredFault(row as unknown as Record<string, unknown>);
    default:
      return 'kind must be resource or desired';
  }
}

function resourceFault({ type, id, doc }: Record<string, unknown>): string | undefined {
  if (type !== 'Device' && type !== 'DeviceModel') return 'type must be Device or DeviceModel';
  if (!isId(id)) return 'id must be namespace/name';
  if (doc === null) return undefined;
  if (!isObject(doc) || doc['kind'] !== type) return `doc must be a ${type} or null`;
  const { metadata, spec } = doc;
  if (!isObject(metadata) || `${text(metadata['namespace'])}/${text(metadata['name'])}` !== id) {
    return 'doc.metadata must name the resource that id names';
  }
  if (!isObject(spec)) return 'doc.spec must be an object';
  return type === 'Device' ? deviceFault(spec) : modelFault(spec);
}

function deviceFault(spec: Record<string, unknown>): string | undefined {
  if (typeof spec['model'] !== 'string') return 'doc.spec.model must be a string';
  if (typeof spec['node'] !== 'string') return 'doc.spec.node must be a string';
  return isObject(spec['settings']) ? undefined : 'doc.spec.settings must be an object';
}

function modelFault({
  protocol,
  properties,
  methods = [],
}: Record<string, unknown>): string | undefined {
  if (typeof protocol !== 'string') return 'doc.spec.protocol must be a string';
  if (!Array.isArray(properties)) return 'doc.spec.properties must be a list';
  if (!Array.isArray(methods) || !methods.every(isMethod)) {
    return 'doc.spec.methods must be a list, each with a name, and lists of arguments';
  }
  return properties.every(isTyped)
    ? undefined
    : 'each of doc.spec.properties must have a name and a type';
}

function isTyped(value: unknown): boolean {
  return isObject(value) && typeof value['name'] === 'string' && typeof value['type'] === 'string';
}

function isMethod(value: unknown): boolean {
  if (!isObject(value) || typeof value['name'] !== 'string') return false;
  const { input = [], output = [] } = value;
  return [input, output].every((each) => Array.isArray(each) && each.every(isTyped));
}

function desiredFault(row: Record<string, unknown>): string | undefined {
  if (!isId(row['device'])) return 'device must be namespace/name';
  if (typeof row['property'] !== 'string' || row['property'] === '') {
    return 'property must be a name';
  }
  if (row['value'] === undefined) return 'value is missing; null withdraws an order';
  if (!isTime(row['accepted'])) return 'accepted must be ms since 1970';
  if (row['expires'] !== undefined && !isTime(row['expires']))
    return 'expires must be ms since 1970';
  const { ttl } = row;
  if (ttl !== undefined && !Number.isFinite(ttl)) return 'ttl must be a number of ms';
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isId(value: unknown): boolean {
  return typeof value === 'string' && ID.test(value);
}

function isTime(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : 'default';
}
