/**
 * One JSON line for each request, to a file or to standard error. Never a token, a body or a query. Written twice a
 * second; a file is renamed when it is full, and three are kept. What the disk refuses is lost and counted.
 */
import { appendFileSync, renameSync, statSync } from 'node:fs';
import process from 'node:process';
import { type Clock, type Log, Misconfigured } from '@limpet/dmi';
import type { Access } from '#protocol/api';

export interface AccessLogOptions {
  /** A file, or `-` for standard error. */
  readonly to: string;
  readonly clock: Clock;
  readonly log: Log;
  /** A file is full with so many bytes. */
  readonly fileBytes?: number;
}

const WRITE_MS = 500;
const FILE_BYTES = 64 * 1024 * 1024;
/** FILE.1 is the newest of them. */
const KEPT = 3;
/** Lines that wait; beyond it they are lost and counted. */
const MAX_LINES = 20_000;

export class AccessLog {
  readonly #options: AccessLogOptions;
  #lines: string[] = [];
  #lost = 0;
  #cancel: (() => void) | undefined;
  #failing = false;

  private constructor(options: AccessLogOptions) {
    this.#options = options;
  }

  /** @throws Misconfigured CLOUD_FILE when the file cannot be written */
  static open(options: AccessLogOptions): AccessLog {
    const { to } = options;
    try {
      // Who asked what is not for everybody.
      if (to !== '-') appendFileSync(to, '', { mode: 0o600 });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const message = `--access-log ${to} cannot be written (${code}): name a file in a folder that is there, or - for standard error.`;
      throw new Misconfigured('CLOUD_FILE', message, { cause: error });
    }
    return new AccessLog(options);
  }

  readonly note = ({ atMs, ...access }: Access): void => {
    if (this.#lines.length >= MAX_LINES) {
      this.#lost += 1;
      return;
    }
    this.#lines.push(`${JSON.stringify({ time: new Date(atMs).toISOString(), ...access })}\n`);
    this.#cancel ??= this.#options.clock.after(WRITE_MS, () => this.#write());
  };

  /** Writes what waits. */
  close(): void {
    this.#cancel?.();
    this.#write();
  }

  #write(): void {
    const { to, log } = this.#options;
    this.#cancel = undefined;
    const lines = this.#lines;
    this.#lines = [];
    if (lines.length === 0) return;
    try {
      if (to === '-') process.stderr.write(lines.join(''));
      else this.#append(to, lines.join(''));
      if (this.#failing) log.info('access log written again', { lost: this.#lost });
      this.#failing = false;
      this.#lost = 0;
    } catch (error) {
      this.#lost += lines.length;
      if (!this.#failing) log.warn('access log cannot be written', { file: to, error });
      this.#failing = true;
    }
  }

  #append(file: string, text: string): void {
    const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (size + text.length > (this.#options.fileBytes ?? FILE_BYTES) && size > 0) {
      for (let kept = KEPT - 1; kept >= 1; kept--) rename(`${file}.${kept}`, `${file}.${kept + 1}`);
      rename(file, `${file}.1`);
    }
    appendFileSync(file, text, { mode: 0o600 });
  }
}

function rename(from: string, to: string): void {
  if (statSync(from, { throwIfNoEntry: false })) renameSync(from, to);
}
