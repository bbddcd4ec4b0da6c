/** Logs for tests: one that keeps its lines, one that drops them. */
import type { Log } from '../mapper.ts';

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface RecordingLog extends Log {
  /** What was logged, here and on logs made by `with`; the last 10,000 lines. */
  readonly lines: readonly LogLine[];
}

const MAX_LINES = 10_000;

/** A log that keeps its lines for a test to look at. */
export function recordingLog(): RecordingLog {
  const lines: LogLine[] = [];
  return Object.assign(logTo(lines, {}), { lines });
}

/** A log that nobody reads. */
export function silentLog(): Log {
  const drop = (): void => undefined;
  const log: Log = { debug: drop, info: drop, warn: drop, error: drop, with: () => log };
  return log;
}

function logTo(lines: LogLine[], own: Readonly<Record<string, unknown>>): Log {
  const at =
    (level: LogLine['level']) =>
    (message: string, fields: Record<string, unknown> = {}): void => {
      if (lines.length === MAX_LINES) lines.shift();
      lines.push({ level, message, fields: { ...own, ...fields } });
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) => logTo(lines, { ...own, ...fields }),
  };
}
