/**
 * Anything as plain JSON for the log: errors with code and cause, secrets masked, cycles, depth, size and
 * hostile getters bounded. Never throws.
 */
const SECRET =
  /^(.*(token|password|passwd|passphrase|secret|credential|privatekey|apikey)|authorization|cookie)s?$/i;
/** `scheme://user:password@host` */
const USERINFO = /(:\/\/[^\s/:@]*:)[^\s/@]+@/g;

const MAX_STRING = 1_024;
const MAX_DEPTH = 6;
const MAX_NODES = 300;

interface Budget {
  nodes: number;
}

export function plain(value: unknown): unknown {
  return walk(value, 0, { nodes: MAX_NODES });
}

function walk(value: unknown, depth: number, budget: Budget): unknown {
  switch (typeof value) {
    case 'string':
      return text(value);
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'bigint':
    case 'symbol':
      return String(value);
    case 'function':
      return '[function]';
    case 'object':
      return value === null ? null : bounded(value, depth, budget);
    case 'boolean':
    case 'undefined':
      return value;
  }
}

function bounded(value: object, depth: number, budget: Budget): unknown {
  if (depth >= MAX_DEPTH || budget.nodes-- <= 0) return '[…]';
  try {
    return object(value, depth, budget);
  } catch (error) {
    return `[unreadable: ${error instanceof Error ? text(error.message) : 'thrown'}]`;
  }
}

function object(value: object, depth: number, budget: Budget): unknown {
  if (value instanceof Error) return record(fault(value), depth, budget);
  if (value instanceof Date) return Number.isNaN(value.valueOf()) ? null : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof URL) return text(value.href);
  if (value instanceof Map) return record(Object.fromEntries(value), depth, budget);
  if (value instanceof Set) return list([...value], depth, budget);
  if (Array.isArray(value)) return list(value, depth, budget);
  return record(value as Record<string, unknown>, depth, budget);
}

function list(values: readonly unknown[], depth: number, budget: Budget): unknown[] {
  const out: unknown[] = [];
  for (const value of values) {
    if (budget.nodes-- <= 0) return [...out, `[… of ${values.length}]`];
    out.push(walk(value, depth + 1, budget));
  }
  return out;
}

function record(value: Record<string, unknown>, depth: number, budget: Budget): object {
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    if (budget.nodes-- <= 0) break;
    if (SECRET.test(key.replaceAll(/[-_]/g, ''))) out[key] = '***';
    else out[key] = walk(value[key], depth + 1, budget);
  }
  return out;
}

/** An error without a code is a bug: its stack comes along. */
function fault(error: Error): Record<string, unknown> {
  const code = (error as { code?: unknown }).code;
  return {
    name: error.name,
    ...(code === undefined ? { stack: error.stack } : { code }),
    message: error.message,
    cause: error.cause,
    ...(error instanceof AggregateError ? { errors: error.errors } : {}),
  };
}

function text(value: string): string {
  const cut =
    value.length > MAX_STRING
      ? `${value.slice(0, MAX_STRING)}… (${value.length} characters)`
      : value;
  return cut.replaceAll(USERINFO, '$1***@');
}
