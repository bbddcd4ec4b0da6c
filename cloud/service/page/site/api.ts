/** What the page asks of the service. */

export interface Column {
  readonly name: string;
  readonly type?: string;
  readonly unit?: string;
}

export interface QueryResult {
  readonly kind: 'QueryResult';
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly unknown[])[];
  readonly metadata: { readonly continue?: string; readonly tookMs?: number };
}

/** How a query would be answered. */
export interface QueryPlan {
  readonly kind: 'QueryPlan';
  readonly steps: readonly string[];
  readonly estimate: { readonly rows: number; readonly cost: number };
}

export interface WatchEvent {
  readonly type: string;
  /** Where to go on after it. */
  readonly cursor: string;
  readonly said: unknown;
}

interface Cause {
  readonly message?: string;
  readonly offset?: number;
  readonly length?: number;
  readonly suggestion?: string;
}

interface Status {
  readonly message?: string;
  readonly details?: { readonly causes?: readonly Cause[] };
}

/** What the service refused, with the place in the query where it says one. */
export class Refused extends Error {
  readonly code: number;
  readonly fault: Cause | undefined;

  constructor(code: number, { message, details }: Status) {
    super(message ?? `the service answered ${code}`);
    this.code = code;
    this.fault = details?.causes?.[0];
  }
}

const TOKEN = 'limpet.token';
const ROOT = '/apis/limpet.dev/v1';

export const token = {
  held: (): boolean => sessionStorage.getItem(TOKEN) !== null,
  keep: (text: string): void => sessionStorage.setItem(TOKEN, text.trim()),
  forget: (): void => sessionStorage.removeItem(TOKEN),
};

export async function query(text: string, resume?: string): Promise<QueryResult | QueryPlan> {
  const asked = resume === undefined ? { query: text } : { query: text, continue: resume };
  return (await answered('/query', { method: 'POST', body: JSON.stringify(asked) })).json();
}

export async function get<T>(path: string): Promise<T> {
  return (await answered(path)).json() as Promise<T>;
}

export async function patch<T>(path: string, change: unknown): Promise<T> {
  const type = 'application/merge-patch+json';
  const init = { method: 'PATCH', body: JSON.stringify(change) };
  return (await answered(path, init, type)).json() as Promise<T>;
}

/** The events of a standing query, until the connection ends. EventSource could not carry the token. */
export async function* standing(
  text: string,
  cursor: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  const from = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
  const path = `/query?watch=1&query=${encodeURIComponent(text)}${from}`;
  const { body } = await answered(path, { signal });
  if (body === null) return;
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let held = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    held += value;
    const parts = held.split('\n\n');
    held = parts.pop() ?? '';
    for (const part of parts) {
      const event = eventOf(part);
      if (event) yield event;
    }
  }
}

/** One block of a stream of server-sent events; undefined for a comment. */
function eventOf(block: string): WatchEvent | undefined {
  const fields = block.split('\n').map((line) => /^(\w+): ?(.*)$/.exec(line));
  const of = (name: string): string =>
    fields
      .filter((field) => field?.[1] === name)
      .map((field) => field?.[2] ?? '')
      .join('\n');
  const data = of('data');
  if (data === '') return undefined;
  return { type: of('event'), cursor: of('id'), said: JSON.parse(data) as unknown };
}

async function answered(
  path: string,
  init: RequestInit = {},
  type = 'application/json',
): Promise<Response> {
  const headers = new Headers(init.body === undefined ? {} : { 'content-type': type });
  const held = sessionStorage.getItem(TOKEN);
  if (held !== null) headers.set('authorization', `Bearer ${held}`);
  const response = await fetch(ROOT + path, { ...init, headers });
  if (response.ok) return response;
  throw new Refused(response.status, (await response.json().catch(() => ({}))) as Status);
}
