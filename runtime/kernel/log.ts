/**
 * The log: JSON lines, a constant message plus fields. It never throws and never grows: lines are cut to a
 * size, and while the reader is too slow lines are dropped and counted, which the next written line tells.
 */
import { type Clock, type Log } from '@limpet/dmi';
import { type Writable } from 'node:stream';
import { plain } from './plain.ts';

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof LEVELS)[number];

export interface LogOptions {
  /** Usually `process.stderr`. The log listens for its errors, so that a closed pipe ends no process. */
  readonly out: Writable;
  readonly clock: Clock;
  /** Lines below are not written. Default `info`. */
  readonly level?: Level;
}

const MAX_LINE = 8_192;
const MAX_BUFFERED_BYTES = 1_048_576;

export function createLog(options: LogOptions): Log {
  const sink = { ...options, level: options.level ?? 'info', dropped: 0 };
  // Nobody is left to tell that the log itself is gone; `writable` turns false and lines are dropped.
  options.out.on('error', () => undefined);
  return logOf(sink, {});
}

interface Sink {
  readonly out: Writable;
  readonly clock: Clock;
  readonly level: Level;
  dropped: number;
}

type Fields = Record<string, unknown>;

function logOf(sink: Sink, fields: Fields): Log {
  const at = (level: Level) =>
    LEVELS.indexOf(level) < LEVELS.indexOf(sink.level)
      ? () => undefined
      : (message: string, more?: Fields) => write(sink, { level, message }, { ...fields, ...more });
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (more) => logOf(sink, { ...fields, ...more }),
  };
}

function write(sink: Sink, head: { level: Level; message: string }, fields: Fields): void {
  if (!sink.out.writable || sink.out.writableLength > MAX_BUFFERED_BYTES) {
    sink.dropped++;
    return;
  }
  const start = { time: new Date(sink.clock.now()).toISOString(), ...head };
  const dropped = sink.dropped > 0 ? { dropped: sink.dropped } : {};
  let line = JSON.stringify({ ...start, ...dropped, ...inLine(fields, start) });
  if (line.length > MAX_LINE) {
    line = JSON.stringify({ ...start, ...dropped, cut: line.slice(0, MAX_LINE / 2) });
  }
  sink.dropped = 0;
  sink.out.write(`${line}\n`);
}

/** The fields as JSON; one that bears the name of a fixed field gets an underscore. */
function inLine(fields: Fields, start: object): Fields {
  const line: Fields = {};
  for (const [name, value] of Object.entries(plain(fields) as Fields)) {
    line[name in start ? `${name}_` : name] = value;
  }
  return line;
}
