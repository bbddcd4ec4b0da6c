/** RFC 6902: JSON Patch, carried out by the library that knows it, within limits. */
import { applyPatch, type Operation } from 'rfc6902';
import type { Json } from '@limpet/dmi';
import type { Document, Edit, Target } from '../backend.ts';
import { MOST_BODY_BYTES } from '../body.ts';
import { settable } from '../edits.ts';
import { quote } from '../parameters.ts';
import { badRequest, invalid, notFound } from '../status.ts';
import { isObject } from './fields.ts';

const MOST_OPERATIONS = 10_000;

/** One edit out of a list of operations; one that fails spoils all. @throws ApiError BadRequest, (inside the edit) Invalid */
export function jsonPatching(target: Target, list: readonly Json[]): Edit {
  if (list.length > MOST_OPERATIONS) {
    throw badRequest(`the body: at most ${MOST_OPERATIONS} operations`);
  }
  const operations = list.map((entry, index) => operationOf(entry, index));
  return (now) => {
    if (now === undefined) throw notFound(target);
    const doc = structuredClone(settable(now)) as Document;
    for (const [index, operation] of operations.entries()) {
      const fault = carryOut(doc, operation);
      if (fault === undefined) continue;
      throw invalid(target, [{ field: `[${index}]`, reason: 'FieldValueInvalid', message: fault }]);
    }
    return doc;
  };
}

/** The properties whose desired value the operations name. */
export function patchedOrders(list: readonly Json[]): readonly string[] {
  const names = list.flatMap((operation) => {
    const path = isObject(operation) ? operation['path'] : undefined;
    const [, name] = /^\/spec\/desired\/([^/]+)/.exec(typeof path === 'string' ? path : '') ?? [];
    return name === undefined ? [] : unescape(name);
  });
  return [...new Set(names)];
}

/** What it says is checked here, because the library takes it as it comes. */
function operationOf(entry: Json, index: number): Operation {
  const { op, path, from } = isObject(entry) ? entry : {};
  const words = ['add', 'remove', 'replace', 'move', 'copy', 'test'];
  if (typeof op !== 'string' || !words.includes(op)) {
    throw badRequest(`the body: [${index}].op: expected one of ${words.join(', ')}`);
  }
  const pointers = op === 'move' || op === 'copy' ? { path, from } : { path };
  for (const [name, pointer] of Object.entries(pointers)) {
    if (typeof pointer === 'string' && pointer.startsWith('/')) continue;
    throw badRequest(`the body: [${index}].${name}: expected a path like /spec/node`);
  }
  return entry as unknown as Operation;
}

/** Changes the document; says what is wrong when it cannot. */
function carryOut(doc: Document, operation: Operation): string | undefined {
  const pointers = [operation.path, ...('from' in operation ? [operation.from] : [])];
  const stray = pointers.find((pointer) => !leadsIntoDocument(doc, pointer));
  if (stray !== undefined) return `${quote(stray)} leads nowhere`;
  const [fault] = applyPatch(doc, [operation]);
  if (fault) return fault.message;
  // Copies of copies grow without end.
  const grows = operation.op === 'copy' && JSON.stringify(doc).length > MOST_BODY_BYTES;
  return grows ? `it makes more than ${MOST_BODY_BYTES} bytes` : undefined;
}

/** Whether what holds its last member is part of the document: the library would also find what is inherited. */
function leadsIntoDocument(doc: Document, pointer: string): boolean {
  const names = pointer.slice(1).split('/').map(unescape);
  const last = names.pop() ?? '';
  if (['__proto__', 'constructor', 'prototype'].includes(last)) return false;
  let value: unknown = doc;
  for (const name of names) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return false;
    value = (value as Record<string, unknown>)[name];
  }
  return typeof value === 'object' && value !== null;
}

function unescape(name: string): string {
  return name.replaceAll('~1', '/').replaceAll('~0', '~');
}
