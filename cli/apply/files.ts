/** From what `-f` names to texts: files, folders with everything below, standard input. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { CliError } from '../cli-error.ts';

export interface Source {
  /** As messages name it. */
  readonly file: string;
  readonly text: string;
}

const MANIFEST = /\.(ya?ml|json)$/i;
/** A folder with more is not meant: `-f /` by a slip. */
const MOST_FILES = 10_000;

export function readSources(names: readonly string[]): Source[] {
  return names.flatMap((name) => {
    if (name === '-') return [{ file: '<stdin>', text: readFileSync(process.stdin.fd, 'utf8') }];
    return filesOf(name).map((file) => ({ file, text: read(file) }));
  });
}

/** The manifest files of a folder, in the order of their names; a file is itself, whatever it is called. */
function filesOf(name: string): string[] {
  const stat = attempt(name, () => statSync(name));
  if (!stat.isDirectory()) return [name];
  const entries = attempt(name, () => readdirSync(name, { recursive: true, withFileTypes: true }));
  const files = entries
    .filter((entry) => entry.isFile() && MANIFEST.test(entry.name))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
  if (files.length > MOST_FILES) {
    throw new CliError(
      1,
      'TOO_MANY_FILES',
      `${name} holds ${files.length} manifest files, more than ${MOST_FILES}: name a folder closer to them.`,
    );
  }
  if (files.length > 0) return files;
  throw new CliError(1, 'NO_MANIFESTS', `${name} holds no *.yaml, *.yml or *.json file.`);
}

function read(file: string): string {
  return attempt(file, () => readFileSync(file, 'utf8'));
}

function attempt<Result>(name: string, task: () => Result): Result {
  try {
    return task();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new CliError(1, 'FILE_UNREADABLE', `${name} cannot be read (${code}).`, { cause: error });
  }
}
