/** A request's body: read up to a ceiling, then parsed into JSON that is safe to walk and to merge. */
import type { IncomingMessage } from 'node:http';
import type { Json } from '@limpet/dmi';
import type { Document } from './backend.ts';
import { quote } from './parameters.ts';
import { ApiError, badRequest } from './status.ts';

/** As much as Kubernetes' API server takes of most things. */
export const MOST_BODY_BYTES = 2 * 1024 * 1024;
/** Deeper than any resource; shallow enough for recursion. */
const DEEPEST = 64;

/** The media type of the body, or '' when the request does not say. */
export function mediaType(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/**
 * A body must say what it is: a page in a browser can send bodies without a type, or as plain text, to
 * any address, but not as JSON.
 * @throws ApiError UnsupportedMediaType
 */
export function expectType(request: IncomingMessage, expected: string): void {
  const type = mediaType(request);
  if (type === expected) return;
  const found = type === '' ? 'none was given' : `found ${quote(type)}`;
  const why =
    type === 'application/strategic-merge-patch+json'
      ? " (strategic merge exists only for Kubernetes' own kinds; with kubectl: --type=merge or --type=json)"
      : '';
  throw new ApiError(
    'UnsupportedMediaType',
    `expected the content type ${expected}, ${found}${why}`,
  );
}

/** @throws ApiError RequestEntityTooLarge; whatever the stream fails with when the client goes away. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > MOST_BODY_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MOST_BODY_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** @throws ApiError BadRequest when it is not one JSON object, or a hostile one. */
export function parseDocument(body: Buffer): Document {
  return documentIn(parse(body));
}

/** A list, as JSON patches are. @throws ApiError BadRequest */
export function parseList(body: Buffer): readonly Json[] {
  const parsed = parse(body);
  if (!Array.isArray(parsed)) throw badRequest('the body: expected a JSON array');
  refuseHostile(parsed);
  return parsed as readonly Json[];
}

/** As `parseDocument`, of YAML, which JSON nearly is. @throws ApiError BadRequest */
export async function parseYaml(body: Buffer): Promise<Document> {
  if (body.toString().trimStart().startsWith('{')) return parseDocument(body);
  const { parse: parseYamlText } = await import('yaml');
  try {
    return documentIn(parseYamlText(body.toString(), { maxAliasCount: 0, logLevel: 'silent' }));
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw badRequest(`the body is not valid YAML: ${(error as Error).message}`);
  }
}

function documentIn(parsed: unknown): Document {
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw badRequest('the body: expected one JSON object');
  }
  refuseHostile(parsed);
  return parsed as Document;
}

function parse(body: Buffer): unknown {
  if (body.length === 0) throw badRequest('the body: expected a JSON object, found nothing');
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as unknown;
  } catch (error) {
    const fault = error instanceof SyntaxError ? error.message : 'it is not UTF-8';
    throw badRequest(`the body is not valid JSON: ${fault}`);
  }
}

/** Walks with a stack of its own: the depth of a hostile document is not the depth of ours. */
function refuseHostile(document: object): void {
  const open: { value: Json; depth: number }[] = [{ value: document as Document, depth: 1 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, depth } = next;
    if (typeof value === 'number' && !Number.isFinite(value)) {
      throw badRequest('the body: a number is beyond what JSON readers can hold');
    }
    if (typeof value !== 'object' || value === null) continue;
    if (depth > DEEPEST) throw badRequest(`the body: nested deeper than ${DEEPEST} levels`);
    if (Object.hasOwn(value, '__proto__')) {
      throw badRequest('the body: "__proto__" is not allowed as the name of a member');
    }
    for (const member of Object.values<Json>(value as Document)) {
      open.push({ value: member, depth: depth + 1 });
    }
  }
}

function tooLarge(): ApiError {
  return new ApiError(
    'RequestEntityTooLarge',
    `the body is larger than ${MOST_BODY_BYTES} bytes; send resources one by one`,
  );
}
