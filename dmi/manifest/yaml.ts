/** YAML with positions: documents of a text, each with its value, its faults and where things stand in it. */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  type Range,
} from 'yaml';
import { type Fault, type Path, parsePath, type Position } from './fault.ts';

/** The ceiling of one file. */
const MAX_TEXT_BYTES = 16_777_216;

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

/** Every document of `text` that is not empty. Never throws on bad text: it becomes faults. */
export function parseYaml(text: string, file: string): readonly YamlDocument[] {
  const start = { file, line: 1, column: 1 };
  const whole = (message: string): YamlDocument[] => {
    const faults = [{ path: '', code: 'YAML_INVALID', message, ...start }];
    return [{ value: undefined, faults, locate: () => start }];
  };
  if (Buffer.byteLength(text) > MAX_TEXT_BYTES) {
    return whole(`the file must be at most ${MAX_TEXT_BYTES} bytes: split it`);
  }
  try {
    return pieces(text).flatMap((piece) => parsePiece(piece, file));
  } catch (error) {
    // The parser recurses: nesting of some thousand levels ends its stack.
    if (error instanceof RangeError) return whole('the file is nested too deeply: flatten it');
    throw error;
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

interface Piece {
  readonly text: string;
  /** Lines of the file before this piece. */
  readonly above: number;
}

/**
 * The text cut at its `---` lines. A line that begins so is a marker wherever it stands (YAML 1.2.2, 9.1.2), yet
 * the parser reads past it inside an unclosed bracket: one wrong document would swallow those that follow.
 */
function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let lines: string[] = [];
  let above = 0;
  // Comments and directives before a marker belong to the document after it.
  const isPrologue = (): boolean => lines.every((line) => /^\s*$|^[#%]/.test(line));
  for (const [index, line] of text.split('\n').entries()) {
    if (/^---(\s|$)/.test(line) && !isPrologue()) {
      found.push({ text: `${lines.join('\n')}\n`, above });
      lines = [];
      above = index;
    }
    lines.push(line);
  }
  return [...found, { text: lines.join('\n'), above }];
}

function parsePiece({ text, above }: Piece, file: string): YamlDocument[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { file, line: above + Math.max(1, line), column: Math.max(1, col) };
  };
  return [...documents]
    .filter((document) => !isEmpty(document))
    .map((document) => convert(document, position));
}

function isEmpty({ contents, errors }: Document.Parsed): boolean {
  return (
    errors.length === 0 && (contents === null || (isScalar(contents) && contents.value === null))
  );
}

function convert(document: Document.Parsed, position: (offset: number) => Position): YamlDocument {
  const locate: YamlDocument['locate'] = (path, part = 'value') =>
    position(find(document, parsePath(path), part));
  const faults: Fault[] = [...document.errors, ...document.warnings]
    .slice(0, MAX_ERRORS)
    .map(({ message, pos }) => ({
      path: '',
      code: 'YAML_INVALID',
      message: `not valid YAML: ${message}`,
      ...position(pos[0]),
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
