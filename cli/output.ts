/** Where a verb prints: text for people, JSON for programs, colours only where someone sees them. */
import process from 'node:process';
import { explain } from './cli-error.ts';

export interface Output {
  readonly json: boolean;
  /** Standard output is a terminal that can be redrawn. */
  readonly terminal: boolean;
  readonly colour: boolean;
  /** A line on standard output. */
  print(text: string): void;
  /** A value as one line of JSON on standard output. */
  printJson(value: unknown): void;
  /** A line on standard error: progress, warnings. */
  note(text: string): void;
}

/** The process's own output. A reader that goes away (`| head`) ends the program quietly. */
export function processOutput(json: boolean): Output {
  const terminal = process.stdout.isTTY && process.env['TERM'] !== 'dumb' && !json;
  return {
    json,
    terminal,
    colour: terminal && !process.env['NO_COLOR'],
    print: (text) => void process.stdout.write(`${text}\n`),
    printJson: (value) => void process.stdout.write(`${JSON.stringify(value)}\n`),
    note: (text) => void process.stderr.write(`${text}\n`),
  };
}

/** Tells an error on standard error and answers with the exit code. */
export function report(error: unknown, json: boolean): number {
  const { exit, code, message, details } = explain(error);
  const text = json
    ? JSON.stringify({ error: { code, message, ...details } })
    : `limpet: ${message}`;
  process.stderr.write(`${text}\n`);
  return exit;
}

/** A closed pipe is the reader's way to say enough. */
export function endQuietlyOnClosedPipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}
