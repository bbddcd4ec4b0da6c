/** A connection whose visitors say what to get: all that many mappers for HTTP need. */
import { Garbled, Misconfigured, Refused } from '../errors.ts';
import type { Connection, Reading } from '../mapper.ts';
import type { Json } from '../value.ts';
import { quoted } from '../wire/dial.ts';
import type { Http } from './http.ts';
import { at, fill } from './pointer.ts';
import { decodeJson, encodeJson, type HttpVisitor } from './visitor.ts';

/**
 * Gets each path once a batch, however many visitors read from it, and writes with `set`, reading back what the device
 * made of it.
 */
export function httpConnection(http: Http): Connection<HttpVisitor> {
  return {
    async read(visitors, signal) {
      const documents = new Map<string, Json | Refused>();
      const readings: Reading[] = [];
      for (const visitor of visitors) {
        const { path } = visitor;
        if (!documents.has(path)) documents.set(path, await got(http, path, signal));
        readings.push(reading(visitor, documents.get(path) ?? null));
      }
      return readings;
    },
    async write(visitor, value, signal) {
      if (visitor.set === undefined) {
        throw new Misconfigured(
          'HTTP_READ_ONLY',
          'its visitor does not say how it is set: add set',
        );
      }
      const { method, path, body } = visitor.set;
      const json = encodeJson(visitor, value);
      const text = typeof json === 'string' ? json : JSON.stringify(json);
      const sent = body === undefined ? {} : { body: fill(body, json) };
      await http.send(path.replace('{}', encodeURIComponent(text)), { method, ...sent }, signal);
      const read = reading(visitor, await http.get(visitor.path, signal));
      if (read.ok) return read.value;
      throw read.error;
    },
    close: () => http.close(),
  };
}

/** What does not fit is the trouble of one property. */
function reading(visitor: HttpVisitor, document: Json | Refused): Reading {
  if (document instanceof Refused) return { ok: false, error: document };
  const found = at(document, visitor.pointer);
  if (found !== undefined) return decoded(visitor, found);
  const message = `the answer of ${visitor.path} has nothing at ${quoted(visitor.pointer)}`;
  return { ok: false, error: new Refused('HTTP_NO_VALUE', message) };
}

function decoded(visitor: HttpVisitor, found: Json): Reading {
  try {
    return { ok: true, value: decodeJson(visitor, found) };
  } catch (error) {
    if (error instanceof Garbled) return { ok: false, error };
    throw error;
  }
}

async function got(http: Http, path: string, signal: AbortSignal): Promise<Json | Refused> {
  try {
    return await http.get(path, signal);
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  }
}
