#!/usr/bin/env node
/** `npm create limpet-mapper NAME [-- --line|--http|--bytes] [--dir DIR]`. */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { create, CreateError } from './create.mjs';

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      line: { type: 'boolean' },
      http: { type: 'boolean' },
      bytes: { type: 'boolean' },
      dir: { type: 'string' },
    },
  });
  const kinds = ['line', 'http', 'bytes'].filter((kind) => values[kind]);
  if (positionals.length !== 1 || kinds.length > 1) {
    throw new CreateError(
      'say: npm create limpet-mapper NAME [-- --line|--http|--bytes] [--dir DIR]',
    );
  }
  const { folder, files } = create({ name: positionals[0], kind: kinds[0], folder: values.dir });
  process.stdout.write(`${folder}: ${files.join(', ')}\nNext: cd ${folder} && npm install\n`);
} catch (error) {
  const known = error instanceof CreateError || String(error.code).startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`create-limpet-mapper: ${known ? error.message : error.stack}\n`);
  process.exitCode = known ? 2 : 1;
}
