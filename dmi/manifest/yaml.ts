/** YAML with positions: documents of a text, each with its value, its faults and where things stand in it. */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  parseAllDocuments,
  type Range,
} from 'yaml';
import { type Fault, type Path, parsePath, type Position } from './fault.ts';
import { parseInPieces, type Piece } from './yaml-list.ts';

/** The ceiling of one file. */
const MAX_TEXT_BYTES = 16_777_216;

/** The most that one document may have where the caller says nothing: some 220 MB while it is parsed. */
const MAX_LEXEMES = 1_000_000;

/** Beyond this JSON is parsed as such, a hundred times cheaper, without places; a long list of properties in pieces. */
const LARGE = 65_536;

/** So many times what is parsed at once a document may have that is parsed in pieces: its value takes 10 bytes a lexeme. */
const PIECES = 8;

/** After so many errors the parser only guesses. */
const MAX_ERRORS = 20;

/** One YAML document. `value` means nothing when there are faults. */
export interface YamlDocument {
  readonly value: unknown;
  readonly faults: readonly Fault[];
  /**
   * Where the value at `path` (`spec.properties[2].visitor`) stands, or its key; where it is absent, the
   * nearest thing above it.
   */
  readonly locate: (path: string, part?: 'key' | 'value') => Position;
}

/**
 * Every document of `text` that is not empty, one after the other: of each only its text is kept, because a parsed one
 * takes up to 250 times as much. Never throws on bad text: it becomes faults. `lexemes`: the most that one document may
 * have at once; each takes some 220 bytes while it is parsed. Of a model with many properties that is a part of them.
 */
export function* parseYaml(
  text: string,
  file: string,
  lexemes: number = MAX_LEXEMES,
): Generator<YamlDocument> {
  if (Buffer.byteLength(text) > MAX_TEXT_BYTES) {
    yield spoiled(`the file must be at most ${MAX_TEXT_BYTES} bytes: split it`, file, 1);
    return;
  }
  const source = { file, lexemes, latest: new Latest() };
  const parse = (piece: Piece): readonly YamlDocument[] => parseBounded(piece, source);
  try {
    for (const piece of pieces(text)) {
      const large = piece.text.length > LARGE && !isTooLong(piece.text, lexemes * PIECES);
      const document = large ? parseInPieces(piece, parse) : undefined;
      if (document === undefined) yield* parse(piece);
      else yield document;
    }
  } finally {
    source.latest.forget();
  }
}

interface Source {
  readonly file: string;
  readonly lexemes: number;
  readonly latest: Latest;
}

function parseBounded(piece: Piece, source: Source): readonly YamlDocument[] {
  const { file, lexemes } = source;
  if (isTooLong(piece.text, lexemes)) {
    const message = `the document is too long for YAML (more than ${lexemes} words and signs): split it, or write it as JSON`;
    return [spoiled(message, file, piece.above + 1)];
  }
  try {
    return parsePiece(piece, source);
  } catch (error) {
    // The parser recurses: nesting of some thousand levels ends its stack.
    if (!(error instanceof RangeError)) throw error;
    return [spoiled('the file is nested too deeply: flatten it', file, piece.above + 1)];
  }
}

function spoiled(message: string, file: string, line: number): YamlDocument {
  const at = { file, line, column: 1 };
  const faults = [{ path: '', code: 'YAML_INVALID', message, ...at }];
  return { value: undefined, faults, locate: () => at };
}

/** Counted as they are read, without keeping them. JSON needs no such count: it is parsed as JSON. */
function isTooLong(text: string, lexemes: number): boolean {
  // A lexeme has at least one character.
  if (text.length <= lexemes || asJson(text) !== undefined) return false;
  let left = lexemes;
  for (const _ of new Lexer().lex(text)) if (--left < 0) return true;
  return false;
}

/** The value of a text that is JSON; `undefined` when it is not. */
function asJson(text: string): { readonly value: unknown } | undefined {
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    // YAML refuses a name that stands twice; JSON.parse takes the last.
    const value: unknown = JSON.parse(text);
    return { value };
  } catch {
    return undefined; // YAML's flow style, or a fault that the YAML parser places
  }
}

/** `faults` with the positions that `document` knows. */
export function locateAll(
  faults: readonly Fault[],
  document: Pick<YamlDocument, 'locate'>,
): Fault[] {
  return faults.map((each) => ({
    ...each,
    ...document.locate(each.path, each.code === 'FIELD_UNKNOWN' ? 'key' : 'value'),
  }));
}

/**
 * The text cut at its `---` lines. A line that begins so is a marker wherever it stands (YAML 1.2.2, 9.1.2), yet
 * the parser reads past it inside an unclosed bracket: one wrong document would swallow those that follow.
 */
function* pieces(text: string): Generator<Piece> {
  let [start, above, line] = [0, 0, 0];
  // Comments and directives before a marker belong to the document after it.
  let prologue = true;
  for (let at = 0; at < text.length; line++) {
    const end = text.indexOf('\n', at);
    const next = end < 0 ? text.length : end + 1;
    const words = text.slice(at, next);
    if (/^---(\s|$)/.test(words) && !prologue) {
      yield { text: text.slice(start, at), above };
      [start, above, prologue] = [at, line, true];
    }
    prologue &&= /^\s*$|^[#%]/.test(words);
    at = next;
  }
  yield { text: text.slice(start), above };
}

interface Parsed {
  readonly documents: readonly Document.Parsed[];
  readonly lines: LineCounter;
}

function parse({ text }: Piece): Parsed {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  return { documents: [...documents].filter((document) => !isEmpty(document)), lines };
}

/**
 * What was parsed last, for whoever wants places in it. One for all documents of a file, which would otherwise keep what
 * they were parsed to, or WeakRefs to it: those keep their targets as long as the file is being read.
 */
class Latest {
  #piece: Piece | undefined;
  #parsed: Parsed | undefined;

  parse(piece: Piece): Parsed {
    if (this.#parsed !== undefined && this.#piece === piece) return this.#parsed;
    this.forget();
    const parsed = parse(piece);
    [this.#piece, this.#parsed] = [piece, parsed];
    return parsed;
  }

  forget(): void {
    [this.#piece, this.#parsed] = [undefined, undefined];
  }
}

function parsePiece(piece: Piece, { file, latest }: Source): YamlDocument[] {
  const long = piece.text.length > LARGE ? asJson(piece.text) : undefined;
  if (long !== undefined) {
    // Places within it would cost what parsing it as JSON saved.
    const at = { file, line: piece.above + 1, column: 1 };
    return [{ value: long.value, faults: [], locate: () => at }];
  }
  const { documents, lines } = latest.parse(piece);
  const place = { file, above: piece.above };
  return documents.map((document, index) =>
    convert(document, locator(latest, piece, { file, index }), (offset) =>
      position(lines, offset, place),
    ),
  );
}

/** Apart from where it is parsed: a function keeps all that others of its scope use. */
function locator(
  latest: Latest,
  piece: Piece,
  { file, index }: { readonly file: string; readonly index: number },
): YamlDocument['locate'] {
  return (path, part = 'value') => {
    const { documents, lines } = latest.parse(piece);
    const document = documents[index];
    const offset = document === undefined ? 0 : find(document, parsePath(path), part);
    return position(lines, offset, { file, above: piece.above });
  };
}

function position(
  lines: LineCounter,
  offset: number,
  { file, above }: { readonly file: string; readonly above: number },
): Position {
  const { line, col } = lines.linePos(offset);
  return { file, line: above + Math.max(1, line), column: Math.max(1, col) };
}

function isEmpty({ contents, errors }: Document.Parsed): boolean {
  return (
    errors.length === 0 && (contents === null || (isScalar(contents) && contents.value === null))
  );
}

function convert(
  document: Document.Parsed,
  locate: YamlDocument['locate'],
  place: (offset: number) => Position,
): YamlDocument {
  const faults: Fault[] = [...document.errors, ...document.warnings]
    .slice(0, MAX_ERRORS)
    .map(({ message, pos }) => ({
      path: '',
      code: 'YAML_INVALID',
      message: `not valid YAML: ${message}`,
      ...place(pos[0]),
    }));
  if (faults.length > 0) return { value: undefined, faults, locate };
  try {
    return { value: document.toJS({ maxAliasCount: 100 }) as unknown, faults, locate };
  } catch (error) {
    // Aliases to nowhere, or so many that a small file becomes a huge value.
    const reason = error instanceof Error ? error.message : String(error);
    const message = `not valid YAML: ${reason}`;
    return {
      value: undefined,
      faults: [{ path: '', code: 'YAML_ALIAS', message, ...locate('') }],
      locate,
    };
  }
}

/** The offset of what `path` leads to, as far as it exists. */
function find(document: Document.Parsed, path: Path, part: 'key' | 'value'): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? document.range[0];
  for (const [index, key] of path.entries()) {
    const step = descend(isAlias(node) ? node.resolve(document) : node, key);
    if (step === undefined) return offset;
    const wantsKey = part === 'key' && index === path.length - 1;
    offset = (wantsKey ? undefined : startOf(step.value)) ?? startOf(step.key) ?? offset;
    node = step.value;
  }
  return offset;
}

function descend(
  node: unknown,
  key: string | number,
): { key?: unknown; value: unknown } | undefined {
  if (isSeq(node) && typeof key === 'number') {
    return key < node.items.length ? { value: node.items[key] } : undefined;
  }
  if (!isMap(node)) return undefined;
  return node.items.find(
    (pair) => String(isScalar(pair.key) ? pair.key.value : pair.key) === String(key),
  );
}

function startOf(node: unknown): number | undefined {
  if (!isNode(node)) return undefined;
  // An absent value (`key:` and nothing) has an empty range: point at its key instead.
  const range: Range | null | undefined = (node as Node).range;
  if (range === null || range === undefined) return undefined;
  return range[0] === range[1] ? undefined : range[0];
}
