/** Why a mapper's process ended, in our codes and in words that say what to do (pure). */
import { type Reason } from '@limpet/dmi/manifest';

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
  /** The last that it printed. */
  readonly lines: readonly string[];
  /** Why the core ended it, where it did. */
  readonly reason?: Reason;
}

export function exitReason({ code, signal, lines, reason }: Exit): Reason {
  if (reason !== undefined) return reason;
  const said = lastWords(lines);
  const full = heapFull(lines);
  if (full !== undefined) return full;
  if (signal === 'SIGXFSZ') {
    const message = 'it wrote a file larger than its "disk" allows';
    return { code: 'MAPPER_DISK', message };
  }
  // A shell tells a signal as an exit code.
  if (signal !== null || (code !== null && code > 128)) {
    const how = signal ?? `signal ${(code ?? 0) - 128}`;
    return { code: 'MAPPER_CRASHED', message: `it was ended by ${how}${said}` };
  }
  return { code: 'MAPPER_EXITED', message: `it ended with exit code ${code}${said}` };
}

/** Of a process that V8 ended because its heap is full, also while it started. */
export function heapFull(lines: readonly string[]): Reason | undefined {
  if (!lines.some((line) => line.includes('heap out of memory'))) return undefined;
  const message =
    'its JavaScript heap is full: it leaks, or needs a larger "memory" in its manifest or in limpet.yaml';
  return { code: 'MAPPER_MEMORY', message };
}

/** The line of a stack trace that names the error says more than the last one, which is a place or Node's version. */
export function lastWords(lines: readonly string[]): string {
  const named = lines.findLast((line) => /^\s*(\w*Error|Uncaught)\b/.test(line));
  const last =
    named ?? lines.findLast((line) => line.trim() !== '' && !line.startsWith('Node.js v'));
  return last === undefined ? '' : `; it printed: ${last.trim().slice(0, 200)}`;
}
