/** Makes parser.js of the grammar: `node --conditions=source cloud/protocol/query/make-parser.ts`. */
import { readFile, writeFile } from 'node:fs/promises';
import peggy from 'peggy';

const GRAMMAR = new URL('grammar.peggy', import.meta.url);

/** Where the parser stands. It is committed, so that what runs needs no generator. */
export const PARSER = new URL('parser.js', import.meta.url);

/** The parser's text. */
export async function makeParser(): Promise<string> {
  return peggy.generate(await readFile(GRAMMAR, 'utf8'), { output: 'source', format: 'es' });
}

if (import.meta.main) await writeFile(PARSER, await makeParser());
