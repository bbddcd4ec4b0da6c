/** Text to tree. What cannot be parsed is told by its place, with what was probably meant. */
import { nearest } from '@limpet/dmi/manifest';
import { QueryError, quoted, type Span } from './error.ts';
import { QUERY_LIMITS } from './limits.ts';
import { parse as parseText, SyntaxError as GrammarError } from './parser.js';
import type { Tree } from './tree.ts';

/** @throws QueryError QUERY_SYNTAX, QUERY_TOO_LARGE, QUERY_TOO_DEEP */
export function parse(text: string): Tree {
  refuseHuge(text);
  try {
    return parseText(text);
  } catch (error) {
    if (error instanceof GrammarError) throw syntaxError(error, text);
    throw error;
  }
}

/** What the parser's own recursion could not take. Parentheses in texts, names and comments count for nothing. */
function refuseHuge(text: string): void {
  if (text.length > QUERY_LIMITS.text) {
    const span = { offset: QUERY_LIMITS.text, length: text.length - QUERY_LIMITS.text };
    const message = `a query has at most ${QUERY_LIMITS.text} characters; this one has ${text.length}`;
    throw new QueryError('QUERY_TOO_LARGE', message, { span });
  }
  let depth = 0;
  for (const { 0: token, index } of text.matchAll(
    /'[^']*'?|"[^"]*"?|--[^\n]*|\/\*[^]*?\*\/|[()]/g,
  )) {
    if (token === '(') depth += 1;
    if (token === ')') depth -= 1;
    if (depth <= QUERY_LIMITS.depth) continue;
    const message = `parentheses stand inside one another at most ${QUERY_LIMITS.depth} deep`;
    throw new QueryError('QUERY_TOO_DEEP', message, { span: { offset: index, length: 1 } });
  }
}

/** What stands at a place: a word, a text, or one sign. */
const TOKEN = /[A-Za-z_][A-Za-z0-9_]*|'[^']*'?|"[^"]*"?|[0-9.]+|[^\s]/y;

function syntaxError({ message, expected, location }: GrammarError, text: string): QueryError {
  const { offset } = location.start;
  TOKEN.lastIndex = offset;
  const found = TOKEN.exec(text)?.[0] ?? '';
  const span = { offset, length: found.length };
  // `error()` of the grammar brings a message and expects nothing.
  if (expected === null) return new QueryError('QUERY_SYNTAX', message, { span });
  const words = new Set(expected.map((each) => wordFor(each)).filter((word) => word !== undefined));
  return misread(found, [...words], span);
}

function misread(found: string, words: readonly string[], span: Span): QueryError {
  const open = found.startsWith("'") || found.startsWith('"');
  if (open && (found.length === 1 || !found.endsWith(found.slice(0, 1)))) {
    const message = `the ${found.startsWith("'") ? 'text' : 'name'} that begins here has no end: close it with ${found.slice(0, 1)}`;
    return new QueryError('QUERY_SYNTAX', message, { span });
  }
  if (found === '/') {
    const message =
      'a name with "/" stands in double quotes, such as labels."app.kubernetes.io/name"; "/" divides nothing here';
    return new QueryError('QUERY_SYNTAX', message, { span });
  }
  const keywords = words.flatMap((word) => (/^[A-Z]+/.test(word) ? [word] : []));
  const starts = new Map(keywords.map((word) => [word.split(' ', 1)[0] ?? word, word]));
  const near = /^[a-z_]/i.test(found) ? nearest(found, starts.keys()) : undefined;
  const suggestion = near === undefined ? undefined : starts.get(near);
  const what = found === '' ? 'the end of the query' : quoted(found);
  const hint = suggestion === undefined ? '' : `. Did you mean ${suggestion}?`;
  const message = `expected ${listed(words)}; found ${what}${hint}`;
  return new QueryError('QUERY_SYNTAX', message, { span, suggestion });
}

/** How an expectation is told; what always may stand anywhere is not told. */
function wordFor(each: NonNullable<GrammarError['expected']>[number]): string | undefined {
  if (each.type === 'end') return 'the end';
  const word = each.description ?? each.text;
  if (word === 'white space' || word === ';') return undefined;
  return word !== undefined && /^[(),.]$/.test(word) ? JSON.stringify(word) : word;
}

function listed(words: readonly string[]): string {
  if (words.length <= 1) return words[0] ?? 'nothing more';
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
