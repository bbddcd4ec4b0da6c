/** Query parameters, read strictly: a misspelt `labelSelector` must not silently select everything. */
import { duration, suggestion } from '@limpet/dmi/manifest';
import { badRequest } from './status.ts';

/** Sent by kubectl and client libraries with anything; what they ask for is what happens anyway. */
const TOLERATED: readonly string[] = [
  'fieldManager',
  'fieldValidation',
  'gracePeriodSeconds',
  'orphanDependents',
  'pretty',
  'propagationPolicy',
  'timeout',
];

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d([.]\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/;

/** The parameters of one request. All methods throw ApiError BadRequest. */
export class Parameters {
  readonly #values = new Map<string, string>();

  constructor(query: string) {
    for (const [name, value] of new URLSearchParams(query)) {
      if (this.#values.has(name)) throw badRequest(`query parameter ${quote(name)} is given twice`);
      this.#values.set(name, value);
    }
  }

  /** Refuses whatever is neither in `known` nor tolerated everywhere. */
  only(known: readonly string[]): void {
    for (const name of this.#values.keys()) {
      if (known.includes(name) || TOLERATED.includes(name)) continue;
      const meant = suggestion(name, [...known, ...TOLERATED]);
      const choice =
        known.length === 0 ? 'none is' : `${known.join(', ')} ${known.length === 1 ? 'is' : 'are'}`;
      throw badRequest(
        `query parameter ${quote(name)} is not known to this request; ${choice}.${meant}`,
      );
    }
  }

  /** `undefined` also for an empty value, as Kubernetes reads it. */
  text(name: string): string | undefined {
    return this.#values.get(name) || undefined;
  }

  flag(name: string): boolean {
    const value = this.#values.get(name);
    if (value === undefined || value === '0' || value === 'false') return false;
    if (value === '' || value === '1' || value === 'true') return true;
    throw badRequest(
      `query parameter ${name}: expected true, false, 1 or 0, found ${quote(value)}`,
    );
  }

  whole(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value)) return value;
    throw badRequest(`query parameter ${name}: expected a whole number, found ${quote(text)}`);
  }

  /** RFC 3339, as ms since 1970. */
  time(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const ms = RFC_3339.test(text) ? Date.parse(text) : Number.NaN;
    if (!Number.isNaN(ms)) return ms;
    throw badRequest(
      `query parameter ${name}: expected a time like 2026-11-22T10:00:00Z, found ${quote(text)}`,
    );
  }

  durationMs(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const ms = duration(text);
    if (ms !== undefined && ms > 0) return ms;
    throw badRequest(
      `query parameter ${name}: expected a duration above zero like 500ms, 30s or 5m, found ${quote(text)}`,
    );
  }
}

/** User text in a message: quoted and short. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
