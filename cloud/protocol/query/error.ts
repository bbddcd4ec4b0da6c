/** What is wrong with a query, and where. */

/** Stable, for tools; see LANGUAGE.md. */
export type QueryCode =
  | 'QUERY_SYNTAX'
  | 'QUERY_TOO_LARGE'
  | 'QUERY_TOO_DEEP'
  | 'QUERY_TOO_COSTLY'
  | 'QUERY_TOO_SLOW'
  | 'QUERY_NAME'
  | 'QUERY_TYPE'
  | 'QUERY_VALUE'
  | 'QUERY_GROUP'
  | 'QUERY_RANGE'
  | 'QUERY_CURSOR'
  | 'QUERY_UNSUPPORTED';

/** A stretch of the query's text, in UTF-16 code units. */
export interface Span {
  readonly offset: number;
  readonly length: number;
}

/** A fault as it is told: `line` and `column` count from 1, `offset` from 0. */
export interface QueryFault extends Span {
  readonly reason: QueryCode;
  readonly message: string;
  readonly line: number;
  readonly column: number;
  /** What to write instead of the stretch, or near it. */
  readonly suggestion?: string;
}

/** Why a query is not answered. `locate` it before it is shown. */
export class QueryError extends Error {
  readonly code: QueryCode;
  readonly span: Span;
  readonly suggestion: string | undefined;

  constructor(
    code: QueryCode,
    message: string,
    where: { span: Span; suggestion?: string | undefined },
  ) {
    super(message);
    this.name = 'QueryError';
    this.code = code;
    this.span = where.span;
    this.suggestion = where.suggestion;
  }
}

/** The error with its place in the text. */
export function faultOf(error: QueryError, text: string): QueryFault {
  const { code, message, span, suggestion } = error;
  const before = text.slice(0, span.offset).split('\n');
  return {
    reason: code,
    message,
    // A span is often a part of the tree, which has more.
    offset: span.offset,
    length: span.length,
    line: before.length,
    column: (before.at(-1)?.length ?? 0) + 1,
    ...(suggestion !== undefined && { suggestion }),
  };
}

/** A user's text in a message: short, and in one line. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
