/** A failure that the user can act on: what to print, and the exit code that scripts see. */

/** 1: refused or failed. 2: wrong usage. 78: wrong configuration of Limpet itself. */
export type ExitCode = 0 | 1 | 2 | 78;

export class CliError extends Error {
  /** Stable, for `--json`: `USAGE`, `UNREACHABLE`, … */
  readonly code: string;
  readonly exit: ExitCode;
  /** More for programs. */
  readonly details: object | undefined;

  constructor(
    exit: ExitCode,
    code: string,
    message: string,
    options?: ErrorOptions & { readonly details?: object },
  ) {
    super(message, options);
    this.name = 'CliError';
    this.exit = exit;
    this.code = code;
    this.details = options?.details;
  }
}

/** Wrong usage: the command line can never work as written. */
export function usage(message: string): CliError {
  return new CliError(2, 'USAGE', message);
}

export interface Explained {
  readonly exit: ExitCode;
  readonly code: string;
  readonly message: string;
  readonly details?: object | undefined;
}

/** Any error as exit code, stable code and sentence. Of a bug the stack is kept: it is meant for us. */
export function explain(error: unknown): Explained {
  if (error instanceof CliError) {
    const { exit, code, message, details } = error;
    return { exit, code, message, ...(details && { details }) };
  }
  if (!(error instanceof Error)) return { exit: 1, code: 'BUG', message: String(error) };
  const { code, reason } = error as { code?: unknown; reason?: unknown };
  // An ApiError says what the server refused; it is told by shape, so that a plain verb need not load the API.
  if (error.name === 'ApiError' && typeof reason === 'string') {
    return { exit: 1, code: reason, message: error.message };
  }
  if (typeof code === 'string') return { exit: 1, code, message: error.message };
  return { exit: 1, code: 'BUG', message: error.stack ?? error.message };
}
