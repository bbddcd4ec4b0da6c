/**
 * What a mapper's process prints: its last lines are kept, and all goes to the log at a bounded rate. What it prints
 * beyond a bounded rate of bytes waits in the pipe, and so does the process.
 */
import { type Clock, type Log } from '@limpet/dmi';
import { type Readable } from 'node:stream';
import { LastLines } from './last-lines.ts';

const WINDOW_MS = 1_000;
const MAX_BYTES = 262_144;
const MAX_LOGGED = 20;
const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

export class Printed {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #streams: readonly Readable[];
  readonly #kept: readonly LastLines[];
  #windowMs = -Infinity;
  #bytes = 0;
  #logged = 0;
  #unlogged = 0;
  #noisy = 0;
  #resume: (() => void) | undefined;

  constructor(streams: readonly Readable[], { clock, log }: { clock: Clock; log: Log }) {
    this.#clock = clock;
    this.#log = log;
    this.#streams = streams;
    this.#kept = streams.map((stream) => {
      const kept = new LastLines((line) => this.#tell(line));
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => {
        this.#count(text.length);
        kept.push(text);
      });
      stream.on('error', () => undefined); // a pipe that breaks ends with its process
      return kept;
    });
  }

  /** Of the first stream, then of the next. */
  get lines(): readonly string[] {
    return this.#kept.flatMap(({ lines }) => lines).slice(-20);
  }

  /** Seconds in which more was printed than is logged or taken. */
  get noisy(): number {
    return this.#noisy;
  }

  stop(): void {
    this.#resume?.();
    for (const stream of this.#streams) stream.destroy();
  }

  #count(bytes: number): void {
    const now = this.#clock.monotonic();
    if (now - this.#windowMs >= WINDOW_MS) this.#open(now);
    this.#bytes += bytes;
    if (this.#bytes < MAX_BYTES) return;
    if (this.#bytes - bytes < MAX_BYTES) this.#noisy += 1;
    for (const stream of this.#streams) stream.pause();
    this.#resume?.();
    this.#resume = this.#clock.after(WINDOW_MS - (now - this.#windowMs), () => {
      for (const stream of this.#streams) stream.resume();
    });
  }

  #open(now: number): void {
    const unlogged = this.#unlogged;
    [this.#windowMs, this.#bytes, this.#logged, this.#unlogged] = [now, 0, 0, 0];
    if (unlogged > 0)
      this.#log.debug('mapper prints too much: lines left out', { lines: unlogged });
  }

  /** A line of the mapper's own log keeps its level; anything else is for who looks closely. */
  #tell(line: string): void {
    if (this.#logged >= MAX_LOGGED) {
      this.#unlogged += 1;
      return;
    }
    this.#logged += 1;
    const { level, message, ...fields } = logLine(line) ?? { level: 'debug' as const };
    if (message === undefined) this.#log.debug('mapper printed', { line });
    else this.#log[level](message, fields);
  }
}

function logLine(line: string): { level: (typeof LEVELS)[number]; message: string } | undefined {
  if (!line.startsWith('{"time":')) return undefined;
  try {
    const {
      time: _,
      protocol: _own,
      level,
      message,
      ...fields
    } = JSON.parse(line) as Record<string, unknown>;
    const known = LEVELS.find((each) => each === level);
    if (known === undefined || typeof message !== 'string') return undefined;
    return { ...fields, level: known, message };
  } catch {
    return undefined; // no line of a log: it is shown as it is
  }
}
