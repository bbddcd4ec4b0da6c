/** The text of a query: from the command line, a file or standard input; and what is wrong with it, in its place. */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { text } from 'node:stream/consumers';
import { CliError, usage } from '../cli-error.ts';
import { clean } from '../render/table.ts';

const MOST_CHARACTERS = 60;

export async function queryText(
  query: string | undefined,
  file: string | undefined,
): Promise<string> {
  if ((query === undefined) === (file === undefined)) {
    throw usage(
      'give a query, such as "SELECT device FROM devices", or a file with -f: one of both.',
    );
  }
  const found = query ?? (file === '-' ? await text(process.stdin) : fileText(file ?? ''));
  if (found.trim() === '') throw usage('the query is empty.');
  return found.trim();
}

function fileText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    throw new CliError(78, 'FILE_UNREADABLE', `-f ${file} cannot be read (${code}).`, {
      cause: error,
    });
  }
}

/** A fault of a query as the API tells it. */
interface Fault {
  readonly reason: string;
  readonly message: string;
  readonly line: number;
  readonly column: number;
  readonly length: number;
}

/** The same error, or one that marks the place under the text. */
export function marked(error: unknown, query: string): unknown {
  const fault = faultIn(error);
  if (fault === undefined) return error;
  const { reason, message } = fault;
  const lines = place(query, fault);
  return new CliError(1, reason, [message, ...lines].join('\n'), { cause: error, details: fault });
}

function faultIn(error: unknown): Fault | undefined {
  if (!(error instanceof Error) || error.name !== 'ApiError') return undefined;
  const { details } = error as { details?: { causes?: readonly Partial<Fault>[] } };
  const fault = details?.causes?.[0];
  const placed = fault?.line !== undefined && fault.column !== undefined;
  return placed && fault.reason !== undefined && fault.message !== undefined
    ? (fault as Fault)
    : undefined;
}

/** The line with the fault, cut to what is around it, and a mark below. */
function place(query: string, { line, column, length }: Fault): readonly string[] {
  const whole = query.split('\n')[line - 1] ?? '';
  const from = Math.max(0, column - 1 - MOST_CHARACTERS);
  const shown = whole.slice(from, column - 1 + MOST_CHARACTERS);
  const before = column - 1 - from;
  const marks = Math.max(1, Math.min(length, shown.length - before));
  const where = query.includes('\n') ? [`line ${line}:`] : [];
  return [...where, `  ${clean(shown)}`, `  ${' '.repeat(before)}${'^'.repeat(marks)}`];
}
