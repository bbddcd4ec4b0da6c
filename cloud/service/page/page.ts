/**
 * The page at `/`: a few files without a build, whose types are taken off when somebody first looks at it. It holds no secrets: what
 * it shows it asks of the API, with the token that its user gives it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { transformSync } from 'esbuild';
import type { Files, StaticFile } from '#protocol/api';

/** Nothing but its own files and its own service. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-cache',
};

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.ts': 'text/javascript; charset=utf-8',
};

/** Finds its files by path. */
export function page(): Files {
  let files: ReadonlyMap<string, StaticFile> | undefined;
  return (asked) => {
    if (asked !== '/' && !asked.startsWith('/page/')) return undefined;
    files ??= readPage();
    return files.get(asked);
  };
}

function readPage(): ReadonlyMap<string, StaticFile> {
  const folder = path.join(import.meta.dirname, 'site');
  const files = new Map<string, StaticFile>();
  for (const name of readdirSync(folder)) {
    const type = TYPES[path.extname(name)];
    if (type === undefined || name.endsWith('.test.ts')) continue;
    const text = readFileSync(path.join(folder, name), 'utf8');
    const body = name.endsWith('.ts') ? transformSync(text, { loader: 'ts' }).code : text;
    files.set(name === 'index.html' ? '/' : `/page/${name}`, {
      headers: { ...HEADERS, 'content-type': type },
      body,
    });
  }
  return files;
}
